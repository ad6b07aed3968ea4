#include "engine/shim/shim.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "engine/shim/child.h"
#include "engine/shim/confine.h"
#include "engine/shim/descriptors.h"
#include "engine/shim/failpoint.h"
#include "engine/shim/segments.h"
#include "engine/shim/spec.h"
#include "engine/shim/tree.h"

namespace holdall::engine {
namespace {

constexpr int kMostControls = 4;  // one is the rule; two while an upgrade hands over
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kKillAgain =
    kSecond / 100;  // forks may race with the killing of a tree without a namespace

std::int64_t boottime() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

/// In the child: all that comes between the fork and the program. Returns with the reason if it does not get
/// so far.
void run_program(const Spec& spec, bool own_mounts, pid_t parent, char* reason, std::size_t size) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the line above
  setsid();
  // First, so that nothing of it runs without its limits.
  if (!join_groups(spec, reason, size)) return;
  int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  // Lowering it is root's alone; what cannot be had is said by control.
  [[maybe_unused]] auto ignored = write(score, spec.oom_score_adj, std::strlen(spec.oom_score_adj));
  for (auto [pipe, stream] : {std::pair(kOutWriteFd, STDOUT_FILENO), std::pair(kErrWriteFd, STDERR_FILENO)}) {
    dup2(pipe, stream);
    // So that it may open /dev/stdout, as some do.
    if (spec.uid != 0) ignored = fchown(stream, spec.uid, spec.uid);
  }
  Secrets secrets;
  if (!secrets.read_from(kSecretsFd)) {
    std::snprintf(reason, size, "cannot read its secrets");
  } else if (cover_state(spec, own_mounts, reason, size) &&
             place_secrets(spec, secrets, own_mounts, kDirectoryFd, reason, size)) {
    if (write_tree(kDirectoryFd)) {
      become(spec, secrets, reason, size);
      return;
    }
    std::snprintf(reason, size, "cannot write down which processes are its: %s", words(errno));
  }
}

class Shim {
 public:
  explicit Shim(bool own_mounts) : own_mounts_(own_mounts) {}
  void start();
  void run();

 private:
  enum Slot { kListener, kSignals, kOut, kErr, kControls, kSlots = kControls + kMostControls };

  void start_child(const Spec& spec);
  void wait_for_events();
  void accept_control();
  void hear(int& control);
  void answer_hello(int control);
  void begin_stop(const char* arguments);
  void pump(int& pipe, Segments& segments);
  void reap();
  void finish();
  bool write_exit();
  void tell(int control, const char* text) const;
  bool tree_gone() const { return child_ended_ && no_children_; }

  const bool own_mounts_;  ///< what is mounted is seen in its namespace alone
  char id_[64] = "", boot_id_[64] = "";
  int signals_ = -1;
  int controls_[kMostControls] = {-1, -1, -1, -1};
  int out_ = kOutReadFd, err_ = kErrReadFd;  ///< -1 at their end
  Segments out_segments_{kLogsFd, "stdout"}, err_segments_{kLogsFd, "stderr"};

  pid_t child_ = 0;
  std::int64_t executed_ = 0;  ///< BOOTTIME, ns; 0: never
  bool stopping_ = false;
  std::int64_t kill_at_ = INT64_MAX;  ///< BOOTTIME, ns
  bool child_ended_ = false;
  bool no_children_ = false;
  char ending_[640] = "";  ///< the first line of `exit`
};

void Shim::start() {
  Spec spec;
  if (!spec.map(kSpecFd)) {
    std::snprintf(ending_, sizeof ending_, "failed the shim cannot read its specification");
    child_ended_ = no_children_ = true;
    return;
  }
  std::snprintf(id_, sizeof id_, "%s", spec.id);
  std::snprintf(boot_id_, sizeof boot_id_, "%s", spec.boot_id);
  shim_failpoint("shim.exec.before");
  start_child(spec);
  shim_failpoint("shim.exec.after");
  for (int group = 0; group < spec.groups; ++group) close(kGroupsFd + group);
  spec.unmap();
  close(kSpecFd);
  close(kSecretsFd);
  close(kOutWriteFd);
  close(kErrWriteFd);
}

/// Returns once the program is executed, or was not: `reason` comes through a pipe that the exec closes.
void Shim::start_child(const Spec& spec) {
  int report[2];
  char reason[512] = "";
  ssize_t size = -1;
  pid_t parent = getpid();
  child_ = -1;
  if (pipe2(report, O_CLOEXEC) == 0 && (child_ = fork()) == 0) {
    run_program(spec, own_mounts_, parent, reason, sizeof reason);
    [[maybe_unused]] auto ignored = write(report[1], reason, std::strlen(reason));
    _exit(127);
  }
  if (child_ > 0) {
    close(report[1]);
    size = read(report[0], reason, sizeof reason - 1);
    close(report[0]);
  } else {
    std::snprintf(reason, sizeof reason, "cannot start a process: %s", words(errno));
    size = static_cast<ssize_t>(std::strlen(reason));
  }
  if (size == 0) {
    executed_ = boottime();
    return;
  }
  if (size > 0) reason[size] = 0;
  std::snprintf(ending_, sizeof ending_, "failed %s", reason);
  if (child_ <= 0) child_ended_ = no_children_ = true;
}

void Shim::run() {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  signals_ = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  reap();
  while (!tree_gone()) wait_for_events();
  finish();
}

void Shim::wait_for_events() {
  pollfd slots[kSlots];
  auto watch = [&](int slot, int fd) { slots[slot] = {fd, POLLIN, 0}; };
  watch(kListener, kListenerFd);
  watch(kSignals, signals_);
  watch(kOut, out_);
  watch(kErr, err_);
  for (int i = 0; i < kMostControls; ++i) watch(kControls + i, controls_[i]);

  timespec wait{};
  if (kill_at_ != INT64_MAX) {
    std::int64_t left = kill_at_ - boottime();
    if (left > 0) wait = {left / kSecond, left % kSecond};
  }
  if (ppoll(slots, kSlots, kill_at_ == INT64_MAX ? nullptr : &wait, nullptr) < 0) return;

  if (slots[kOut].revents) pump(out_, out_segments_);
  if (slots[kErr].revents) pump(err_, err_segments_);
  if (slots[kSignals].revents) reap();
  for (int i = 0; i < kMostControls; ++i) {
    if (slots[kControls + i].revents) hear(controls_[i]);
  }
  if (slots[kListener].revents) accept_control();
  if (boottime() >= kill_at_) {
    kill_tree();
    kill_at_ = boottime() + kKillAgain;
  }
}

void Shim::accept_control() {
  int control = accept4(kListenerFd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (control < 0) return;
  for (int& slot : controls_) {
    if (slot < 0) {
      slot = control;
      return;
    }
  }
  close(control);
}

void Shim::hear(int& control) {
  char text[512];
  ssize_t size = recv(control, text, sizeof text - 1, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    close(control);
    control = -1;
    return;
  }
  text[size] = 0;
  if (std::strcmp(text, "hello") == 0) {
    answer_hello(control);
  } else if (std::strncmp(text, "stop ", 5) == 0) {
    begin_stop(text + 5);
  } else if (std::strncmp(text, "signal ", 7) == 0) {
    if (!child_ended_ && child_ > 0) kill(child_, std::atoi(text + 7));
  } else {
    tell(control, "error unknown message");
  }
}

void Shim::answer_hello(int control) {
  char text[256];
  std::snprintf(text, sizeof text, "shim 1 %s %s %s %d %lld", id_, boot_id_,
                stopping_ ? "stopping" : "running", child_, static_cast<long long>(executed_));
  tell(control, text);
}

void Shim::begin_stop(const char* arguments) {
  int signal;
  long long grace_ms;
  if (stopping_ || std::sscanf(arguments, "%d %lld", &signal, &grace_ms) != 2) return;
  stopping_ = true;
  if (child_ended_) return;
  // A year is for ever here, and its nanoseconds still fit.
  constexpr long long kLongest = 365LL * 86'400'000;
  if (grace_ms > kLongest) grace_ms = kLongest;
  kill(child_, signal);
  kill_at_ = boottime() + grace_ms * 1'000'000;
}

void Shim::pump(int& pipe, Segments& segments) {
  if (segments.move(pipe) == Segments::Moved::end) pipe = -1;
}

void Shim::reap() {
  signalfd_siginfo info;
  while (read(signals_, &info, sizeof info) > 0) {
  }
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid < 0) no_children_ = errno == ECHILD;
    if (pid <= 0) break;
    if (pid != child_ || child_ended_) continue;
    child_ended_ = true;
    // A program that could not be executed has said why already.
    if (ending_[0]) continue;
    if (WIFEXITED(status)) {
      std::snprintf(ending_, sizeof ending_, "code %d", WEXITSTATUS(status));
    } else {
      std::snprintf(ending_, sizeof ending_, "signal %d%s", WTERMSIG(status),
                    WCOREDUMP(status) ? " core" : "");
    }
  }
  // What its program left running is not the instance any more, and may hold the output open.
  if (child_ended_ && !no_children_) kill_at_ = 0;
}

/// The tree is gone: what the pipes hold now is all that will ever come.
void Shim::finish() {
  while (out_ >= 0 && out_segments_.move(out_) == Segments::Moved::some) {
  }
  while (err_ >= 0 && err_segments_.move(err_) == Segments::Moved::some) {
  }
  shim_failpoint("shim.exit.before");
  // As long as there is no room for it, this shim is the only one who knows; it holds the lock and waits for
  // room.
  while (!write_exit()) sleep(1);
  shim_failpoint("shim.exit.after");
  char text[sizeof ending_ + 8];
  std::snprintf(text, sizeof text, "exited %s", ending_);
  for (int control : controls_) {
    if (control >= 0) tell(control, text);
  }
  // Last, as a replacement does not have to wait for the disk.
  out_segments_.flush();
  err_segments_.flush();
}

/// Atomic against a kill, without fsync: after a reboot the directory means nothing.
bool Shim::write_exit() {
  char text[sizeof ending_ + 64];
  int length =
      std::snprintf(text, sizeof text, "%s\nexecuted %lld\n", ending_, static_cast<long long>(executed_));
  int file = openat(kDirectoryFd, "exit.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  bool written = write(file, text, static_cast<std::size_t>(length)) == length;
  close(file);
  shim_failpoint("shim.exit.rename.before");
  return written && renameat(kDirectoryFd, "exit.new", kDirectoryFd, "exit") == 0;
}

void Shim::tell(int control, const char* text) const {
  send(control, text, std::strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

int run_instance() {
  prctl(PR_SET_DUMPABLE, 0);
  rlimit cores;
  getrlimit(RLIMIT_CORE, &cores);
  cores.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &cores);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  setsid();
  umask(022);
  // Only SIGKILL ends a shim: a terminal's Ctrl-C or a stray SIGTERM must not take the instance with it
  // unasked.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  close_range(kSpecFd, ~0U, CLOSE_RANGE_CLOEXEC);
  [[maybe_unused]] int ignored = chdir("/");
  Shim shim(own_tree());
  shim.start();
  shim.run();
  return 0;
}

}  // namespace holdall::engine
