#include "base/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "base/error.h"

namespace holdall {
namespace {

enum class Step { descriptors, working_dir, execute };

/// All the child needs, made before it exists: it shares our memory and may not allocate.
struct Child {
  std::vector<const char*> programs;  ///< candidates, in the order of PATH
  std::vector<char*> argv, environment;
  const char* working_dir = nullptr;
  std::vector<std::pair<int, int>> fds;  ///< (ours, the child's), in order of the child's
  bool die_with_parent = false;
  bool own_group = false;
  pid_t parent = 0;
  int program_fd = -1;     ///< where `fds` puts it; -1 for none
  bool elsewhere = false;  ///< in a PID namespace of its own, from where the parent has no number
  // What went wrong; the parent reads it once the child has executed or exited.
  int error = 0;
  Step step = Step::execute;
};

// Nothing here is instrumented: the child runs on a stack and in a thread that a sanitizer does not know.
#define HOLDALL_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

HOLDALL_IN_CHILD int give_up(Child& child, Step step) {
  child.error = errno;
  child.step = step;
  _exit(127);
}

/// Puts each descriptor at its number and closes all others. Two rounds, as a number that is wanted may be a
/// source: first every source to above the highest number wanted, then down to its place.
HOLDALL_IN_CHILD bool place_descriptors(Child& child) {
  int above = child.fds.back().second + 1;
  for (auto& [ours, theirs] : child.fds) {
    ours = fcntl(ours, F_DUPFD, above);
    if (ours < 0) return false;
  }
  unsigned next = 0;
  for (auto& [ours, theirs] : child.fds) {
    if (dup2(ours, theirs) < 0) return false;
    auto number = static_cast<unsigned>(theirs);
    if (number > next) syscall(SYS_close_range, next, number - 1, 0);
    next = number + 1;
  }
  return syscall(SYS_close_range, next, ~0U, 0) == 0;
}

HOLDALL_IN_CHILD int run_child(void* argument) {
  Child& child = *static_cast<Child*>(argument);
  // By the system call: the C library keeps two signals to itself, and its posix_spawn leaves one of them
  // ignored in whoever was started with it. The two that cannot be changed are refused, which is as good.
  const struct {
    void (*handler)(int);
    unsigned long flags, restorer, mask;
  } standard{SIG_DFL, 0, 0, 0};
  for (int signal = 1; signal < NSIG; ++signal) {
    syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof standard.mask);
  }
  if (child.own_group) setpgid(0, 0);
  if (child.die_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!child.elsewhere && getppid() != child.parent) _exit(127);  // it died before the line above
  }
  if (!place_descriptors(child)) give_up(child, Step::descriptors);
  if (child.working_dir && chdir(child.working_dir) < 0) give_up(child, Step::working_dir);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (child.program_fd >= 0) {
    fcntl(child.program_fd, F_SETFD, FD_CLOEXEC);
    syscall(SYS_execveat, child.program_fd, "", child.argv.data(), child.environment.data(), AT_EMPTY_PATH);
    return give_up(child, Step::execute);
  }
  int error = ENOENT;
  for (const char* program : child.programs) {
    execve(program, child.argv.data(), child.environment.data());
    // As execvp: the next candidate, unless this one is there and something else is wrong with it.
    if (errno == EACCES) error = EACCES;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
      error = errno;
      break;
    }
  }
  errno = error;
  return give_up(child, Step::execute);
}

#undef HOLDALL_IN_CHILD

std::vector<std::string> candidates(const Command& command) {
  const std::string& name = command.program.empty() ? command.argv.front() : command.program;
  if (name.find('/') != std::string::npos) return {name};
  auto own = command.environment.find("PATH");
  const char* inherited = std::getenv("PATH");
  std::string_view path = own != command.environment.end() ? std::string_view(own->second)
                          : inherited                      ? inherited
                                                           : "/usr/local/bin:/usr/bin:/bin";
  std::vector<std::string> programs;
  while (!path.empty()) {
    auto directory = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(path.size(), directory.size() + 1));
    if (!directory.empty()) programs.push_back(fmt::format("{}/{}", directory, name));
  }
  return programs;
}

[[noreturn]] void throw_failure(const Command& command, const Child& child) {
  std::string what;
  switch (child.step) {
    case Step::descriptors:
      throw_errno(Error::broken, "pass descriptors to " + command.argv.front(), child.error);
    case Step::working_dir: what = "change to the working directory " + command.working_dir; break;
    case Step::execute: what = "execute " + command.argv.front(); break;
  }
  switch (child.error) {
    case ENOENT:
    case ENOTDIR: throw_errno(Error::missing, what, child.error);
    case EACCES:
    case EPERM: throw_errno(Error::denied, what, child.error);
    default: throw_errno(Error::invalid, what, child.error);
  }
}

// TSan's clone takes this one for a fork and from then on looks away from the calling thread; glibc's other
// name for it is not intercepted.
#ifdef __SANITIZE_THREAD__
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#define HOLDALL_CLONE __clone
#else
#define HOLDALL_CLONE clone
#endif

/// The child shares our memory until it has executed, so nothing of ours is copied however large we are.
pid_t start(Child& child, int namespaces) {
  constexpr std::size_t kStack = 64 << 10;
  void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) throw_errno(Error::busy, "make a stack for a child process", errno);
  // A signal handler of ours must not run in the child.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = HOLDALL_CLONE(run_child, static_cast<char*>(stack) + kStack,
                            CLONE_VM | CLONE_VFORK | SIGCHLD | namespaces, &child);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  munmap(stack, kStack);
  if (pid < 0) throw_errno(error == EPERM ? Error::denied : Error::busy, "make a child process", error);
  return pid;
}

pid_t spawn_child(const Command& command, bool own_group) {
  if (command.argv.empty()) throw Error(Error::invalid, "a command needs an argv");
  std::vector<std::string> programs = candidates(command);
  std::vector<std::string> variables;
  for (const auto& [name, value] : command.environment) variables.push_back(name + "=" + value);

  Child child;
  for (const std::string& program : programs) child.programs.push_back(program.c_str());
  for (const std::string& word : command.argv) child.argv.push_back(const_cast<char*>(word.c_str()));
  child.argv.push_back(nullptr);
  for (std::string& variable : variables) child.environment.push_back(variable.data());
  child.environment.push_back(nullptr);
  if (!command.working_dir.empty()) child.working_dir = command.working_dir.c_str();
  child.die_with_parent = command.die_with_parent;
  child.own_group = own_group;
  child.parent = getpid();
  child.elsewhere = command.namespaces & CLONE_NEWPID;

  Fd null(checked(open("/dev/null", O_RDWR | O_CLOEXEC), "open /dev/null"));
  child.fds = command.fds;
  for (int number = 0; number < 3; ++number) {
    bool named = std::ranges::any_of(command.fds, [&](const auto& fd) { return fd.second == number; });
    if (!named) child.fds.emplace_back(null.get(), number);
  }
  std::ranges::sort(child.fds, {}, &std::pair<int, int>::second);
  if (command.program_fd >= 0) {
    child.program_fd = child.fds.back().second + 1;
    child.fds.emplace_back(command.program_fd, child.program_fd);
  }

  pid_t pid = start(child, command.namespaces);
  if (child.error == 0) return pid;
  waitpid(pid, nullptr, 0);
  throw_failure(command, child);
}

/// The last bytes of what a stream said.
class Tail {
 public:
  explicit Tail(Fd pipe) : pipe_(std::move(pipe)) {}

  int fd() const { return pipe_.get(); }

  /// Reads what is there; closes at the end of the stream.
  void take() {
    std::array<char, 16 << 10> buffer;
    for (;;) {
      ssize_t got = read(pipe_.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return pipe_.reset();
      text_.append(buffer.data(), static_cast<std::size_t>(got));
      if (text_.size() > 2 * kKept) trim();
    }
  }

  std::string finish() {
    if (pipe_) take();
    trim();
    return std::move(text_);
  }

 private:
  static constexpr std::size_t kKept = 64 << 10;

  void trim() {
    if (text_.size() > kKept) text_.erase(0, text_.size() - kKept);
  }

  Fd pipe_;
  std::string text_;
};

}  // namespace

pid_t spawn(const Command& command) { return spawn_child(command, false); }

Exit decode_wait_status(int status) {
  if (WIFSIGNALED(status))
    return {.code = 0, .signal = WTERMSIG(status), .core_dumped = WCOREDUMP(status) != 0};
  return {.code = WEXITSTATUS(status), .signal = 0, .core_dumped = false};
}

std::string text(const Exit& exit) {
  if (exit.signal == 0) return fmt::format("exited with code {}", exit.code);
  return fmt::format("killed by {}{}", signal_name(exit.signal), exit.core_dumped ? " (core dumped)" : "");
}

std::string signal_name(int signal) {
  if (const char* name = sigabbrev_np(signal)) return fmt::format("SIG{}", name);
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) return fmt::format("SIGRTMIN+{}", signal - SIGRTMIN);
  return fmt::format("signal {}", signal);
}

int parse_signal(std::string_view name) {
  int number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size() && number > 0 && number < NSIG) return number;
  std::string full(name.starts_with("SIG") ? name : fmt::format("SIG{}", name));
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal_name(signal) == full) return signal;
  }
  if (full == "SIGRTMIN") return SIGRTMIN;
  throw Error(Error::invalid, fmt::format("no signal is named '{}'", name));
}

Output run(const Command& command, Deadline deadline) {
  Pipe out = make_pipe(0), err = make_pipe(0);
  for (const Fd* end : {&out.read, &err.read}) fcntl(end->get(), F_SETFL, O_NONBLOCK);
  Command piped = command;
  piped.fds.emplace_back(out.write.get(), STDOUT_FILENO);
  piped.fds.emplace_back(err.write.get(), STDERR_FILENO);
  pid_t pid = spawn_child(piped, true);
  out.write.reset();
  err.write.reset();
  Fd end(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  Tail said(std::move(out.read)), complained(std::move(err.read));

  Output output;
  for (;;) {
    std::array<pollfd, 3> waiting{pollfd{end.get(), POLLIN, 0}, pollfd{said.fd(), POLLIN, 0},
                                  pollfd{complained.fd(), POLLIN, 0}};
    int ready = poll(waiting.data(), waiting.size(), deadline.poll_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (said.fd() >= 0 && waiting[1].revents) said.take();
    if (complained.fd() >= 0 && waiting[2].revents) complained.take();
    if (waiting[0].revents) break;
    if (!deadline.passed()) continue;
    output.timed_out = true;
    kill(-pid, SIGKILL);  // not reaped yet, so the number is still its own
    deadline = Deadline::never();
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  output.exit = decode_wait_status(status);
  output.out = said.finish();
  output.err = complained.finish();
  return output;
}

}  // namespace holdall
