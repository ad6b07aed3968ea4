#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "base/json.h"
#include "cli/cli.h"
#include "net/address.h"
#include "net/client.h"

namespace holdall::cli {

/// The API of one server, as commands call it. A server that has answered once and then does not (control is
/// being started again) is asked again for up to 30 s, so that its restart is invisible; what may not be done
/// twice carries an idempotency key. An answer that is an error is thrown as that Error. Thread-safe.
class Server {
 public:
  explicit Server(net::Address address);

  const net::Address& address() const { return address_; }

  Json get(const std::string& target);
  std::optional<Json> find(const std::string& target);  ///< nothing for a 404
  Json post(const std::string& target, const Json& body, const std::string& idempotency_key = "");
  Json remove(const std::string& target, Deadline deadline);
  Json put_file(const std::string& target, int file);

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

  net::ClientResponse call(net::ClientRequest request, Deadline deadline, bool repeatable);
  std::optional<net::ClientResponse> stream(const net::ClientRequest& request, bool resume,
                                            Patience& patience, EventReader& reader);

  net::Address address_;
  std::atomic<bool> answered_ = false;
};

/// The one server that a command acts on (cli/target.h says which). Throws `invalid` where an environment has
/// several: a command that can act on each of them does not call this.
Server server_of(const Globals& globals);

}  // namespace holdall::cli
