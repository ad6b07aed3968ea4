#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/guarded.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/ssh.h"
#include "cli/terminal.h"
#include "net/address.h"
#include "net/client.h"

namespace holdall::cli {

/// The API of one server, as commands call it. A server that has answered once and then does not (control is
/// being started again) is asked again for up to 30 s, so that its restart is invisible; what may not be done
/// twice carries an idempotency key. An answer that is an error is thrown as that Error. Thread-safe.
class Server {
 public:
  explicit Server(const net::Address& address);
  explicit Server(const app::Host& host);  ///< a unix socket, through ssh, or https with a token
  ~Server();

  /// "ssh://deploy@shop.example", "unix:///run/holdall/api.sock".
  const std::string& name() const { return name_; }

  Json get(const std::string& target);
  std::optional<Json> find(const std::string& target);  ///< nothing for a 404
  Json post(const std::string& target, const Json& body, const std::string& idempotency_key = "");
  Json remove(const std::string& target, Deadline deadline);
  Json put_file(const std::string& target, int file);

  /// Asks for another protocol on a connection of its own, by a POST. Nothing is asked twice. Its bytes last
  /// as long as this does.
  net::UpgradeAnswer upgrade(const std::string& target, const Json& body, std::string_view protocol);

  struct Event {
    std::string name, id;
    Json data;
  };
  /// Calls `each` with every event until it returns false or the stream ends. With `resume`, a stream that is
  /// cut or ends too early is opened again after the last id seen, and `target` is asked for anew.
  void events(const std::string& method, const std::function<std::string()>& target, bool resume,
              const std::function<bool(const Event&)>& each);

 private:
  class EventReader;
  using Patience = std::optional<Deadline>;  ///< runs while nobody answers

  void sign(net::ClientRequest& request) const;
  net::ClientResponse call(net::ClientRequest request, Deadline deadline, bool repeatable);
  std::optional<net::ClientResponse> stream(const net::ClientRequest& request, bool resume,
                                            Patience& patience, EventReader& reader);

  /// Calls `act` with a connection. One that is not made, or ends without an answer, is explained.
  template <typename Act>
  auto connected(Deadline deadline, Act act);

  const std::string name_;
  const app::Host host_;
  std::atomic<bool> answered_ = false;
  Guarded<std::vector<std::unique_ptr<SshConnection>>> upgraded_;
};

/// The one server that a command acts on (cli/target.h says which). Throws `invalid` where an environment has
/// several: a command that can act on each of them does not call this.
Server server_of(const Globals& globals);

/// The same of hosts that are known.
const app::Host& only_host(const std::vector<app::Host>& hosts);

/// One for each host, in that order.
std::deque<Server> servers_at(const std::vector<app::Host>& hosts);

/// Calls `act` with each server in turn. Where there are several, each one's name goes before what is
/// printed, and what one throws is said in its place. Returns the exit code.
int on_each(std::deque<Server>& servers, const Terminal& out, const std::function<void(Server&)>& act);

/// What `ask` gives of the only server; of several, `{"hosts": [{"host", ...}]}` with what it gives of each.
Json ask_each(std::deque<Server>& servers, const std::function<Json(Server&)>& ask);

}  // namespace holdall::cli
