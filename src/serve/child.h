#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/time.h"

namespace holdall::serve {

/// Control or router, as its parent sees it: a process that is to run always, with a socket to it. One that
/// ends is due again at once; one that keeps ending within a second waits longer each time.
class Child {
 public:
  /// `name` for people and failpoints: "control".
  Child(std::string name, std::vector<std::string> argv);

  /// Executes this binary again, with the socket as its descriptor 3. A failure to is logged, and it is due
  /// again later.
  void start();

  /// It was reaped, having run as `exit` says. Closes the socket. `again`: it is due again, and the log says
  /// so.
  void ended(const Exit& exit, bool again);

  /// Sends it a message; false when it is not running, or gone. One that does not read for seconds is killed.
  bool push(const Json& body, const std::vector<int>& fds);

  void signal(int number) const;
  void hang_up() { socket_.reset(); }

  bool running() const { return pid_ != 0; }
  pid_t pid() const { return pid_; }            ///< 0 while it does not run
  const Fd& socket() const { return socket_; }  ///< none while it does not run, or after `hang_up`
  Instant due() const { return due_; }          ///< when to start it; Instant::max while it runs

 private:
  void fall_due(Instant ended);

  const std::string name_;
  const std::vector<std::string> argv_;
  pid_t pid_ = 0;
  Fd socket_;
  Instant started_, due_;
  int quick_ends_ = 0;  ///< in a row
};

}  // namespace holdall::serve
