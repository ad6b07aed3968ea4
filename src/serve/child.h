#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/time.h"

namespace holdall::serve {

/// Control or a router, as its parent sees it: a process that is to run always, with a socket to it. One that
/// ends is due again at once; one that keeps ending within a second waits longer each time.
class Child {
 public:
  using Program = std::shared_ptr<const Fd>;  ///< an open executable; null: this binary

  /// `name` for people and failpoints: "control".
  Child(std::string name, std::vector<std::string> argv, Program program = nullptr);

  /// What `start` executes from now on.
  void become(Program program, std::vector<std::string> argv);

  /// Executes its program, with the socket as its descriptor 3. A failure to is logged, and it is due
  /// again later.
  void start();

  /// It was reaped, having run as `exit` says. Closes the socket. `again`: it is due again, and the log says
  /// so.
  void ended(const Exit& exit, bool again);

  /// Sends it a message; false when it is not running, or gone. One that does not read for seconds is killed.
  bool push(const Json& body, const std::vector<int>& fds);

  /// For this process's next image, which `resume`s it: the pid, and the socket passed (passing.h).
  Json passed() const;
  void resume(const Json& passed);

  void signal(int number) const;
  void hang_up() { socket_.reset(); }

  bool running() const { return pid_ != 0; }
  pid_t pid() const { return pid_; }            ///< 0 while it does not run
  const Fd& socket() const { return socket_; }  ///< none while it does not run, or after `hang_up`
  Instant due() const { return due_; }          ///< when to start it; Instant::max while it runs

 private:
  void fall_due(Instant ended);

  std::string name_;
  std::vector<std::string> argv_;
  Program program_;
  pid_t pid_ = 0;
  Fd socket_;
  Instant started_, due_;
  int quick_ends_ = 0;  ///< in a row
};

/// This process's environment without what is for it alone.
std::map<std::string, std::string> childs_environment();

}  // namespace holdall::serve
