#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/json.h"
#include "net/address.h"
#include "net/handover.h"
#include "serve/systemd.h"

namespace holdall::serve {

/// A message to send; its descriptors are lent by Kept until it next changes.
struct Message {
  Json body;
  std::vector<int> fds = {};
};

/// What control and the routers have entrusted to their parent, so that it outlives them: listeners, the last
/// route table, read ends of instances' output pipes, the last counters of routers that have retired. The
/// service manager keeps listeners and table as well, so that they outlive the parent too.
class Kept {
 public:
  /// With what the manager kept of the serve before. `systemd` outlives it.
  explicit Kept(const Systemd& systemd);

  /// For this process's next image, which `resume`s it.
  Json passed() const;
  void resume(const Json& passed);

  /// Does what a request of control asks (docs/formats/processes.md) and gives the answer; `router` receives
  /// what a running router is to be told. Throws what an error's answer shall say; nothing has changed then.
  Message handle(net::Handover& request, std::vector<Message>& router);

  /// What a new router is told.
  std::vector<Message> all() const;

  /// The request log's pipe: the manager's, or a new one that it keeps from now on. Once.
  Pipe log_pipe();

  void keep_counted(const std::string& epoch, Fd memfd);
  /// What a new control is told of routers that are no more.
  std::vector<Message> counted() const;

 private:
  struct Listener {
    net::Address address;
    Fd socket;
  };

  void bind(const Json& request, std::vector<Message>& router);
  void keep_only(const Json& request, std::vector<Message>& router);
  void keep_table(Fd table);

  const Systemd& systemd_;
  std::map<std::string, Listener> listeners_;
  Fd table_;
  Pipe log_pipe_;                                     ///< of the serve before, until it is taken
  std::map<std::string, std::pair<Fd, Fd>> outputs_;  ///< instance -> (out, err)
  std::deque<std::pair<std::string, Fd>> counted_;    ///< epoch -> memfd, the oldest first
};

}  // namespace holdall::serve
