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
#include "serve/parent.h"

namespace holdall::serve {
namespace {

using namespace std::chrono_literals;

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

/// Whether a process that ended so, saying why on stderr, would only do it again: what it was given is wrong.
/// Not so `busy`: the control of a serve that was killed may still be on its way out.
bool cannot_run(const Exit& exit) {
  return exit.code == exit_code(Error::invalid) || exit.code == exit_code(Error::denied);
}

}  // namespace

Fd make_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, signal);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return Fd(checked(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "make a signalfd"));
}

Parent::Parent(const ParentOptions& options, Fd lock)
    : options_(options),
      lock_(std::move(lock)),
      signals_(make_signals()),
      control_("control", options.control_argv),
      router_("router", options.router_argv),
      kept_(systemd_),
      log_(options.state / "requests", options.request_log_bytes, kept_.log_pipe()) {}

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
  if (!router_.running() && router_.due() <= now && !next_router_) {
    router_epoch_.clear();
    epochs_before_.clear();
    start_router(router_);
  }
  if (!control_.running() && control_.due() <= now) start_control();
}

void Parent::start_router(Child& router) {
  router.start();
  router.push(Json::object({{"type", "log"}}), {log_.write_end().get()});
  for (const Message& message : kept_.all()) router.push(message.body, message.fds);
  Json after = Json::array();
  for (const std::string& epoch : epochs_before_) after.add(epoch);
  if (&router != &router_) after.add(router_epoch_);
  router.push(Json::object({{"type", "begin"}, {"after", after}}), {});
  link(router);
}

void Parent::start_control() {
  control_.start();
  for (const Message& message : kept_.counted()) control_.push(message.body, message.fds);
  // The one that serves comes last.
  for (Retiring& one : retiring_) link(one.router);
  link(router_);
  if (next_router_) link(*next_router_);
}

/// A new socket between the two, whichever of them is new.
void Parent::link(Child& router) {
  if (!router.running() || !control_.running()) return;
  auto [to_router, to_control] = net::handover_pair();
  router.push(Json::object({{"type", "control"}}), {to_control.get()});
  control_.push(Json::object({{"type", "router"}, {"pid", router.pid()}}), {to_router.get()});
}

void Parent::for_each_router(const std::function<void(Child&)>& call) {
  for (Retiring& one : retiring_) call(one.router);
  call(router_);
  if (next_router_) call(*next_router_);
}

Deadline Parent::next_deadline() const {
  Deadline until = stage_ == Stage::running
                       ? Deadline(std::min(control_.due(), next_router_ ? Instant::max() : router_.due()))
                       : patience_;
  for (const Retiring& one : retiring_) until = std::min(until, one.killed_at);
  return std::min({until, deaf_until_, step_until_});
}

void Parent::wait() {
  std::vector<pollfd> waiting{pollfd{signals_.get(), POLLIN, 0}, pollfd{log_.descriptor(), POLLIN, 0},
                              pollfd{control_.socket().get(), POLLIN, 0}};
  std::vector<pid_t> routers;
  for_each_router([&](Child& router) {
    waiting.push_back({router.socket().get(), POLLIN, 0});
    routers.push_back(router.pid());
  });
  int ready = poll(waiting.data(), waiting.size(), next_deadline().poll_ms());
  if (ready < 0 && errno != EINTR) throw_errno(Error::broken, "wait for children", errno);
  pass_deadlines();
  if (ready <= 0) return;
  if (waiting[1].revents) log_.move();
  // Before a child is reaped: what it asked last is still done. Hearing one may change which there are.
  if (waiting[2].revents) answer_control();
  for (std::size_t i = 0; i < routers.size(); ++i) {
    if (!waiting[3 + i].revents) continue;
    Child* heard = nullptr;
    for_each_router([&](Child& router) {
      if (router.pid() == routers[i]) heard = &router;
    });
    if (heard) hear_router(*heard);
  }
  if (waiting[0].revents) read_signals();
}

void Parent::pass_deadlines() {
  if (deaf_until_.passed()) {
    control_.signal(SIGKILL);
    deaf_until_ = Deadline::never();
  }
  for (Retiring& one : retiring_) {
    if (!one.killed_at.passed()) continue;
    one.router.signal(SIGKILL);
    one.killed_at = Deadline::never();
  }
  if (step_until_.passed()) step_took_too_long();
}

void Parent::read_signals() {
  signalfd_siginfo signal;
  while (read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    if (signal.ssi_signo == SIGCHLD) {
      reap();
    } else if (signal.ssi_signo == SIGHUP) {
      upgrade_asked();
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
    if (pid == control_.pid()) {
      control_ended(exit);
    } else if (pid == asked_pid_) {
      asked(exit);
    } else {
      router_ended(pid, exit);
    }
  }
}

void Parent::control_ended(const Exit& exit) {
  deaf_until_ = Deadline::never();
  bool running = stage_ == Stage::running;
  switch (running ? step_ : Step::none) {
    case Step::stopping_control: control_.ended(exit, false); return start_next_control();
    case Step::starting_control:
    case Step::starting_router:
      control_.ended(exit, false);
      return go_back(fmt::format("its control {}", text(exit)));
    case Step::ending_control: control_.ended(exit, false); return restore_control();
    default: break;
  }
  bool hopeless = running && !control_has_asked_ && cannot_run(exit);
  control_.ended(exit, running && !hopeless);
  if (!hopeless) return;
  exit_code_ = exit.code;
  stop_asked();
}

void Parent::router_ended(pid_t pid, const Exit& exit) {
  bool running = stage_ == Stage::running;
  for (auto one = retiring_.begin(); one != retiring_.end(); ++one) {
    if (one->router.pid() != pid) continue;
    hear_router(one->router);
    one->router.ended(exit, false);
    retiring_.erase(one);
    return;
  }
  if (pid == router_.pid()) router_.ended(exit, running);
  if (!next_router_ || pid != next_router_->pid()) return;
  next_router_->ended(exit, false);
  next_router_.reset();
  if (running) go_back(fmt::format("its router {}", text(exit)));
}

/// One message of control. What it may not ask is answered; a socket that ends means a control that is of no
/// use.
void Parent::answer_control() {
  if (!control_.socket()) return;
  Message answer{Json::object({{"type", "ok"}})};
  std::vector<Message> to_router;
  bool ready = false;
  try {
    auto request = net::receive(control_.socket(), Deadline::after(0ns));
    if (!request) return;
    control_has_asked_ = true;
    const Json* type = request->body.find("type");
    ready = type && *type == Json("ready");
    if (type && *type == Json("exit")) {
      stop_asked();
    } else if (!ready) {
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
  for (const Message& message : to_router) {
    router_.push(message.body, message.fds);
    if (next_router_) next_router_->push(message.body, message.fds);
  }
  control_.push(answer.body, answer.fds);
  if (ready) control_is_ready();
}

/// All that it has said. It answers nothing that is asked, so there is nobody to tell of an error.
void Parent::hear_router(Child& router) {
  std::optional<std::string> ready;
  try {
    while (router.socket()) {
      auto message = net::receive(router.socket(), Deadline::after(0ns));
      if (!message) break;
      std::string type = message->body.string_or("type", ""), epoch = message->body.string_or("epoch", "");
      if (type == "ready") ready = epoch;
      if (type != "counted" || message->fds.size() != 1) continue;
      control_.push(message->body, {message->fds[0].get()});
      kept_.keep_counted(epoch, std::move(message->fds[0]));
    }
  } catch (const Error& error) {
    if (error.kind() != Error::missing) log::error("serve.router", error.what());
    router.hang_up();
  }
  // At the end: one router may take the place of another then.
  if (ready) router_is_ready(router, std::move(*ready));
}

void Parent::control_is_ready() {
  switch (step_) {
    case Step::starting_control: return start_next_router();
    case Step::restoring_control: return control_is_restored();
    default: break;
  }
  if (stage_ == Stage::running && step_ == Step::none && !std::exchange(told_ready_, true)) {
    systemd_.tell(fmt::format("READY=1\nSTATUS=version {} serves", options_.version));
  }
}

void Parent::stop_asked() {
  if (stage_ != Stage::running) return;
  log::info("serve.stopping", "serve is stopping; instances run on");
  systemd_.tell("STOPPING=1");
  give_up_upgrade();
  stage_ = Stage::stopping_control;
  patience_ = Deadline::after(kControlGrace);
  control_.signal(SIGTERM);
}

/// Control first, so that nobody publishes to a router that is ending. True when a stage is over.
bool Parent::advance_stop() {
  if (stage_ == Stage::stopped) return false;
  bool ending = false;
  const auto still = [&](Child& child) {
    ending |= child.running();
    if (patience_.passed()) child.signal(SIGKILL);
  };
  if (stage_ == Stage::stopping_control) {
    still(control_);
  } else {
    for_each_router(still);
  }
  if (ending) {
    if (patience_.passed()) patience_ = Deadline::never();
    return false;
  }
  if (stage_ == Stage::stopping_router) {
    stage_ = Stage::stopped;
    return false;
  }
  if (systemd_.there()) {
    // The next serve has the sockets from the manager at once, and what these have accepted they finish.
    for_each_router(
        [](Child& router) { router.push(Json::object({{"type", "retire"}, {"alone", true}}), {}); });
    stage_ = Stage::stopped;
    return false;
  }
  stage_ = Stage::stopping_router;
  patience_ = Deadline::after(kRouterGrace);
  for_each_router([](Child& router) { router.signal(SIGTERM); });
  return true;
}

int parent_main(const ParentOptions& options) {
  make_directories(options);
  Fd lock = lock_state(options.state);
  set_up_process();
  return Parent(options, std::move(lock)).run();
}

std::optional<int> take_over() {
  std::optional<Json> passed = handed_over();
  if (!passed) return std::nullopt;
  set_up_process();
  return Parent(*passed).run();
}

}  // namespace holdall::serve
