#include "engine/shim/attend.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "engine/shim/child.h"
#include "engine/shim/confine.h"
#include "engine/shim/descriptors.h"
#include "engine/shim/spec.h"
#include "engine/shim/tree.h"

namespace holdall::engine {
namespace {

constexpr int kCannotExecute = 126;  // as shells have it
constexpr int kSignalled = 128;
// Forks may race with the killing of a tree that has no namespace of its own.
constexpr timespec kKillAgain{0, 10'000'000};

enum class Where : bool { beside, fresh };

int fail(const char* doing) {
  dprintf(STDERR_FILENO, "cannot %s: %s\n", doing, words(errno));
  return kCannotExecute;
}

sigset_t block_all() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  return all;
}

void take_null_descriptors() {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) dup2(null, fd);
  close(null);
}

/// Lets go of what the program has, so that whoever has the other ends sees the program close them.
void let_go() {
  take_null_descriptors();
  close(kSecretsFd);
}

/// Pipes and terminals were made for the program, which may open them again by name; /dev/null was not.
void own_descriptors(unsigned uid) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    struct stat info;
    bool made = fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || isatty(fd));
    if (uid != 0 && made) [[maybe_unused]]
      int ignored = fchown(fd, uid, uid);
  }
}

/// In the child: all that comes before the program.
[[noreturn]] void run_program(const Spec& spec, Where where, bool own_mounts, int report) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  if (isatty(STDIN_FILENO)) ioctl(STDIN_FILENO, TIOCSCTTY, 0);
  own_descriptors(spec.uid);
  char reason[512] = "cannot read its secrets";
  int code = kCannotExecute;
  Secrets secrets;
  bool ready = secrets.read_from(kSecretsFd) && join_groups(spec, reason, sizeof reason);
  if (ready && where == Where::fresh) {
    ready = cover_state(spec, own_mounts, reason, sizeof reason) &&
            place_secrets(spec, secrets, own_mounts, kDirectoryFd, reason, sizeof reason);
  }
  if (ready) code = become(spec, secrets, reason, sizeof reason);
  [[maybe_unused]] auto ignored = write(report, reason, std::strlen(reason));
  _exit(code);
}

/// The program's parent, and of all that it leaves behind.
class Keeper {
 public:
  explicit Keeper(const sigset_t& signals) : signals_(signals) {
    if (getpid() != 1) prctl(PR_SET_CHILD_SUBREAPER, 1);
    char self[24] = "";
    [[maybe_unused]] auto ignored = readlink("/proc/self", self, sizeof self - 1);
    sees_own_ = std::atoi(self) == getpid();
  }

  void start(const Spec& spec, Where where, bool own_mounts, int report) {
    child_ = fork();
    if (child_ == 0) run_program(spec, where, own_mounts, report);
    if (child_ < 0) dprintf(report, "cannot start a process: %s", words(errno));
    close(report);
  }

  /// Until nothing is left; the exit code.
  int keep() {
    while (!reap()) {
      if (ending_) kill_all();
      int signal = ending_ ? sigtimedwait(&signals_, nullptr, &kKillAgain) : sigwaitinfo(&signals_, nullptr);
      if (signal == SIGRTMAX) {
        ending_ = true;
      } else if (signal > 0 && signal != SIGCHLD && !ended_) {
        kill(child_, signal);
      }
    }
    return code_;
  }

 private:
  /// True once there is no child any more. What the program left running goes with it.
  bool reap() {
    for (;;) {
      int status;
      pid_t pid = waitpid(-1, &status, WNOHANG);
      if (pid < 0 && errno == ECHILD) return true;
      if (pid <= 0) return false;
      if (pid != child_) continue;
      ended_ = ending_ = true;
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
    }
  }

  void kill_all() const {
    // A /proc of other numbers tells nothing of ours.
    if (sees_own_) return kill_tree();
    if (child_ > 0) kill(-child_, SIGKILL);
  }

  const sigset_t signals_;
  bool sees_own_ = false;
  pid_t child_ = -1;
  bool ended_ = false, ending_ = false;
  int code_ = kCannotExecute;
};

/// Waits until the program is executed; false when it was not, having said why.
bool was_executed(int report) {
  char reason[512];
  ssize_t size;
  while ((size = read(report, reason, sizeof reason)) < 0 && errno == EINTR) {
  }
  close(report);
  if (size <= 0) return true;
  dprintf(STDERR_FILENO, "%.*s\n", static_cast<int>(size), reason);
  return false;
}

/// In the keeper: at the death of its parent it ends everything; at once if that has died already.
void end_with_parent(int alive) {
  prctl(PR_SET_PDEATHSIG, SIGRTMAX);
  pollfd parent{alive, POLLIN, 0};
  if (poll(&parent, 1, 0) > 0) _exit(kCannotExecute);
  close(alive);
}

int enter_and_keep(bool attended) {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  umask(022);
  sigset_t signals = block_all();
  Spec spec;
  if (!spec.map(kSpecFd)) return fail("read what to run");
  bool elsewhere = fcntl(kTargetFd, F_GETFD) >= 0;
  if (elsewhere && setns(kTargetFd, CLONE_NEWPID | CLONE_NEWNS) != 0) return fail("enter the instance");
  int report[2], alive[2];
  if (pipe2(report, O_CLOEXEC) != 0 || pipe2(alive, O_CLOEXEC) != 0) return fail("make a pipe");

  pid_t keeper = fork();
  if (keeper < 0) return fail("start a process");
  if (keeper == 0) {
    close(report[0]);
    close(alive[1]);
    if (attended) {
      end_with_parent(alive[0]);
    } else {
      setsid();
      take_null_descriptors();
    }
    Keeper own(signals);
    own.start(spec, Where::beside, false, report[1]);
    let_go();
    _exit(own.keep());
  }
  close(report[1]);
  close(alive[0]);
  bool executed = was_executed(report[0]);
  if (executed && !attended) return 0;
  let_go();
  for (;;) {
    int status, signal = sigwaitinfo(&signals, nullptr);
    if (signal > 0 && signal != SIGCHLD) kill(keeper, signal);
    if (waitpid(keeper, &status, WNOHANG) == keeper) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
    }
  }
}

}  // namespace

int attach() { return enter_and_keep(true); }

int leave() { return enter_and_keep(false); }

int once() {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  umask(022);
  sigset_t signals = block_all();
  // Of a namespace the kernel ends everything when its init is killed, as it is when its starter dies.
  // Elsewhere this process has to live to do it.
  if (getpid() != 1) prctl(PR_SET_PDEATHSIG, SIGRTMAX);
  bool own_mounts = own_tree();
  Spec spec;
  int report[2];
  if (!spec.map(kSpecFd)) return fail("read what to run");
  if (pipe2(report, O_CLOEXEC) != 0) return fail("make a pipe");
  Keeper own(signals);
  own.start(spec, Where::fresh, own_mounts, report[1]);
  was_executed(report[0]);
  let_go();
  return own.keep();
}

}  // namespace holdall::engine
