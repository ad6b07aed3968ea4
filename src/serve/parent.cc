#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "base/secret.h"
#include "net/handover.h"
#include "serve/child.h"
#include "serve/kept.h"
#include "serve/request_log.h"
#include "serve/serve.h"

namespace holdall::serve {
namespace {

using namespace std::chrono_literals;

// Control finishes its handlers; the router gives running requests 5 s and needs a moment beyond them.
constexpr auto kControlGrace = 10s, kRouterGrace = 6s;

/// Held as long as it lives; the kernel lets go of it however this process ends.
Fd lock_state(const std::filesystem::path& state) {
  auto path = state / "serve.lock";
  Fd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) throw_errno(Error::denied, fmt::format("open {}", path.string()), errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    std::string holder = read_file_if_exists(path).value_or("");
    throw Error(Error::busy,
                fmt::format("{} is served already by process {}: stop it first, or choose another "
                            "state directory",
                            state.string(), holder.empty() ? "(starting)" : holder));
  }
  checked(ftruncate(lock.get(), 0), "write serve.lock");
  write_all(lock.get(), std::to_string(getpid()));
  return lock;
}

void make_directories(const ParentOptions& options) {
  for (const auto& directory : {options.state, options.run}) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) throw_errno(Error::denied, fmt::format("make {}", directory.string()), error.value());
  }
}

void set_up_process() {
  keep_memory_private();
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // Shims of a control that has died come to us.
  checked(prctl(PR_SET_CHILD_SUBREAPER, 1), "become a subreaper");
}

/// The signals that `Parent` reads, blocked for everything else.
Fd make_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int signal : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&wanted, signal);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  for (int signal : {SIGPIPE, SIGHUP}) ::signal(signal, SIG_IGN);
  return Fd(checked(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "make a signalfd"));
}

/// Whether a process that ended so, saying why on stderr, would only do it again: what it was given is wrong.
/// Not so `busy`: the control of a serve that was killed may still be on its way out.
bool cannot_run(const Exit& exit) {
  return exit.code == exit_code(Error::invalid) || exit.code == exit_code(Error::denied);
}

class Parent {
 public:
  explicit Parent(const ParentOptions& options)
      : control_("control", options.control_argv),
        router_("router", options.router_argv),
        log_(options.state / "requests", options.request_log_bytes) {}

  int run();

 private:
  void start_what_is_due();
  void start_router();
  void start_control();
  void link();
  void wait();
  void read_signals();
  void reap();
  void answer_control();
  void stop_asked();
  bool advance_stop();

  const Fd signals_ = make_signals();
  Child control_, router_;
  Kept kept_;
  RequestLog log_;

  bool control_has_asked_ = false;  ///< at least once, so it can run here
  int exit_code_ = 0;
  enum class Stage : std::uint8_t { running, stopping_control, stopping_router, stopped };
  Stage stage_ = Stage::running;
  Deadline patience_ = Deadline::never();    ///< with the child that is being stopped
  Deadline deaf_until_ = Deadline::never();  ///< a control that has closed its socket is killed then
};

int Parent::run() {
  while (stage_ != Stage::stopped) {
    if (stage_ == Stage::running) start_what_is_due();
    wait();
    while (stage_ != Stage::running && advance_stop()) {
    }
  }
  log_.move();
  return exit_code_;
}

void Parent::start_what_is_due() {
  auto now = BootClock::now();
  // The router first: control's first table then finds somebody to serve it.
  if (!router_.running() && router_.due() <= now) start_router();
  if (!control_.running() && control_.due() <= now) start_control();
}

void Parent::start_router() {
  router_.start();
  router_.push(Json::object({{"type", "log"}}), {log_.write_end().get()});
  for (const Message& message : kept_.all()) router_.push(message.body, message.fds);
  link();
}

void Parent::start_control() {
  control_.start();
  link();
}

/// A new socket between the two, whichever of them is new.
void Parent::link() {
  if (!router_.running() || !control_.running()) return;
  auto [to_router, to_control] = net::handover_pair();
  router_.push(Json::object({{"type", "control"}}), {to_control.get()});
  control_.push(Json::object({{"type", "router"}, {"pid", router_.pid()}}), {to_router.get()});
}

void Parent::wait() {
  std::array<pollfd, 3> waiting{pollfd{signals_.get(), POLLIN, 0}, pollfd{log_.descriptor(), POLLIN, 0},
                                pollfd{control_.socket().get(), POLLIN, 0}};
  Deadline until = stage_ == Stage::running ? Deadline(std::min(control_.due(), router_.due())) : patience_;
  until = std::min(until, deaf_until_);
  int ready = poll(waiting.data(), waiting.size(), until.poll_ms());
  if (ready < 0 && errno != EINTR) throw_errno(Error::broken, "wait for children", errno);
  if (deaf_until_.passed()) {
    control_.signal(SIGKILL);
    deaf_until_ = Deadline::never();
  }
  if (ready <= 0) return;
  if (waiting[1].revents) log_.move();
  // Before a child is reaped: what control asked last is still done.
  if (waiting[2].revents) answer_control();
  if (waiting[0].revents) read_signals();
}

void Parent::read_signals() {
  signalfd_siginfo signal;
  while (read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    if (signal.ssi_signo == SIGCHLD) {
      reap();
    } else {
      stop_asked();
    }
  }
}

/// Also those whose parent died before them; nobody asks how they ended.
void Parent::reap() {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    Exit exit = decode_wait_status(status);
    bool again = stage_ == Stage::running;
    if (pid == router_.pid()) router_.ended(exit, again);
    if (pid != control_.pid()) continue;
    bool hopeless = again && !control_has_asked_ && cannot_run(exit);
    control_.ended(exit, again && !hopeless);
    deaf_until_ = Deadline::never();
    if (!hopeless) continue;
    exit_code_ = exit.code;
    stop_asked();
  }
}

/// One message of control. What it may not ask is answered; a socket that ends means a control that is of no
/// use.
void Parent::answer_control() {
  if (!control_.socket()) return;
  Message answer;
  std::vector<Message> to_router;
  try {
    auto request = net::receive(control_.socket(), Deadline::after(0ns));
    if (!request) return;
    control_has_asked_ = true;
    const Json* type = request->body.find("type");
    if (type && *type == Json("exit")) {
      answer.body = Json::object({{"type", "ok"}});
      stop_asked();
    } else {
      answer = kept_.handle(*request, to_router);
    }
  } catch (const Error& error) {
    if (error.kind() == Error::missing) {
      // It is ending, as a rule, and has a while for that.
      control_.hang_up();
      deaf_until_ = Deadline::after(kControlGrace);
      return;
    }
    answer = {Json::object({{"type", "error"}, {"kind", name(error.kind())}, {"message", error.what()}})};
  }
  for (const Message& message : to_router) router_.push(message.body, message.fds);
  control_.push(answer.body, answer.fds);
}

void Parent::stop_asked() {
  if (stage_ != Stage::running) return;
  log::info("serve.stopping", "serve is stopping; instances run on");
  stage_ = Stage::stopping_control;
  patience_ = Deadline::after(kControlGrace);
  control_.signal(SIGTERM);
}

/// Control first, so that nobody publishes to a router that is ending. True when a stage is over.
bool Parent::advance_stop() {
  if (stage_ == Stage::stopped) return false;
  Child& child = stage_ == Stage::stopping_control ? control_ : router_;
  if (child.running()) {
    if (patience_.passed()) {
      child.signal(SIGKILL);
      patience_ = Deadline::never();
    }
    return false;
  }
  if (stage_ == Stage::stopping_router) {
    stage_ = Stage::stopped;
    return false;
  }
  stage_ = Stage::stopping_router;
  patience_ = Deadline::after(kRouterGrace);
  router_.signal(SIGTERM);
  return true;
}

}  // namespace

int parent_main(const ParentOptions& options) {
  make_directories(options);
  Fd lock = lock_state(options.state);
  set_up_process();
  return Parent(options).run();
}

}  // namespace holdall::serve
