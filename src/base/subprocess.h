#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/time.h"

namespace holdall {

/// What to execute: an argv, never a shell line. The child's environment is exactly `environment`.
struct Command {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  std::string working_dir;  ///< empty: the caller's
  std::vector<std::pair<int, int>>
      fds;                       ///< (ours, the child's number); 0, 1 and 2 are /dev/null unless named here
  bool die_with_parent = false;  ///< SIGKILL when the thread that started it ends
  int namespaces = 0;            ///< CLONE_NEWPID, CLONE_NEWNS: new ones for it; `denied` where not allowed
  std::string program = {};      ///< the file to execute, when it is not argv's first
  int program_fd = -1;           ///< or an open one: it may have lost its name
};

/// The child's pid; every descriptor not in `fds` is closed in it, and its signal mask and handlers are the
/// defaults. The caller reaps it. Throws `missing` or `denied` with the program's name if it cannot be
/// executed.
pid_t spawn(const Command& command);

/// How a process ended.
struct Exit {
  int code = 0;  ///< meaningful when signal is 0
  int signal = 0;
  bool core_dumped = false;

  bool ok() const { return code == 0 && signal == 0; }
  bool operator==(const Exit&) const = default;
};
Exit decode_wait_status(int status);

/// "exited with code 3", "killed by SIGSEGV (core dumped)".
std::string text(const Exit& exit);
std::string signal_name(int signal);      ///< "SIGTERM"
int parse_signal(std::string_view name);  ///< "SIGTERM", "TERM" or "15"; throws `invalid`

struct Output {
  Exit exit;
  std::string out, err;  ///< the last 64 KiB of each
  bool timed_out = false;
};

/// Runs it to its end and keeps what it said. At the deadline its process group is killed and `timed_out` is
/// set.
Output run(const Command& command, Deadline deadline);

}  // namespace holdall
