// The way to another binary and, at each step that fails, back. Until the last step this image stays what it
// is: control and router of the new binary are its children like ours, so that whatever they do, there is
// somebody who starts ours again. The router that serves is the last to be replaced, and is never stopped
// before another one serves.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/files.h"
#include "base/log.h"
#include "serve/parent.h"
#include "serve/passing.h"

namespace holdall::serve {
namespace {

using namespace std::chrono_literals;

// What one image hands to the next (docs/formats/processes.md); another number is not understood.
constexpr int kProtocol = 1;
constexpr const char* kHandover = "HOLDALL_HANDOVER";

// A control adopts its instances in milliseconds, a router is there at once: what is not ready by then does
// not work.
constexpr auto kReadyPatience = 10s;

// What a control that comes back is told: a newer one may have changed the database.
constexpr const char* kGoingBack = "going-back";

// Upgrades in quick succession leave routers with somebody's download; more than these are told to end.
constexpr std::size_t kRetiring = 8;

// What a router may know of those before it.
constexpr std::size_t kEpochs = 8;

std::vector<std::string> strings(const Json& json) {
  std::vector<std::string> out;
  for (const Json& one : json.items()) out.push_back(one.string());
  return out;
}

Fd memory(const char* name) { return Fd(checked(memfd_create(name, MFD_CLOEXEC), "make a memfd")); }

/// The last line that says something.
std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

}  // namespace

Json to_json(const ParentOptions& options) {
  return Json::object(
      {{"protocol", kProtocol},
       {"state", options.state.string()},
       {"run", options.run.string()},
       {"control_argv", Json::Array(options.control_argv.begin(), options.control_argv.end())},
       {"router_argv", Json::Array(options.router_argv.begin(), options.router_argv.end())},
       {"request_log_bytes", options.request_log_bytes},
       {"version", options.version},
       {"argv", Json::Array(options.argv.begin(), options.argv.end())},
       {"program", options.program.string()},
       {"ask_argv", Json::Array(options.ask_argv.begin(), options.ask_argv.end())}});
}

ParentOptions parse_options(const Json& json) {
  if (json.integer_or("protocol", 0) != kProtocol) {
    throw Error(Error::invalid, fmt::format("it hands over by protocol {}, and this binary by {}",
                                            json.integer_or("protocol", 0), kProtocol));
  }
  return {.state = json.at("state").string(),
          .run = json.at("run").string(),
          .control_argv = strings(json.at("control_argv")),
          .router_argv = strings(json.at("router_argv")),
          .request_log_bytes = static_cast<std::uint64_t>(json.at("request_log_bytes").integer()),
          .version = json.at("version").string(),
          .argv = strings(json.at("argv")),
          .program = json.at("program").string(),
          .ask_argv = strings(json.at("ask_argv"))};
}

// ---- one image to the next

std::optional<Json> handed_over() {
  const char* number = std::getenv(kHandover);
  if (!number) return std::nullopt;
  int fd = -1;
  std::from_chars(number, number + std::strlen(number), fd);
  unsetenv(kHandover);
  pass_nothing();
  Fd memfd(fd);
  // Executed by its descriptor, it would be listed by that number.
  prctl(PR_SET_NAME, "holdall");
  return Json::parse(read_memfd(memfd));
}

Json Parent::passed() const {
  Json retiring = Json::array();
  for (const Retiring& one : retiring_) retiring.add(one.router.passed());
  Json options = to_json(next_);
  return Json::object({{"options", options},
                       {"from", options_.version},
                       {"lock", pass(lock_)},
                       {"log", log_.passed()},
                       {"kept", kept_.passed()},
                       {"control", control_.passed()},
                       {"router", router_.passed()},
                       {"epoch", router_epoch_},
                       {"epochs_before", Json::Array(epochs_before_.begin(), epochs_before_.end())},
                       {"retiring", retiring},
                       {"begun_ns", begun_},
                       {"again", again_}});
}

Parent::Parent(const Json& passed)
    : options_(parse_options(passed.at("options"))),
      lock_(take(passed.at("lock"))),
      signals_(make_signals()),
      control_("control", options_.control_argv),
      router_("router", options_.router_argv),
      kept_(systemd_),
      log_(options_.state / "requests", options_.request_log_bytes, RequestLog::resume(passed.at("log"))),
      router_epoch_(passed.at("epoch").string()),
      begun_(passed.at("begun_ns").integer()),
      told_ready_(true),
      control_has_asked_(true) {
  kept_.resume(passed.at("kept"));
  control_.resume(passed.at("control"));
  router_.resume(passed.at("router"));
  for (const Json& epoch : passed.at("epochs_before").items()) epochs_before_.push_back(epoch.string());
  for (const Json& one : passed.at("retiring").items()) {
    retiring_.push_back({Child("router", {}), Deadline::never()});
    retiring_.back().router.resume(one);
  }
  next_ = options_;
  options_.version = passed.at("from").string();
  again_ = passed.boolean_or("again", false);
  upgrade_over("");
  // Whoever ended while nobody read signals.
  reap();
}

void Parent::hand_over() {
  failpoint("serve.upgrade.exec.before");
  Fd memfd = sealed_memfd("handover", passed().print());
  pass(memfd);
  setenv(kHandover, std::to_string(memfd.get()).c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& word : next_.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  syscall(SYS_execveat, program_->get(), "", argv.data(), environ, AT_EMPTY_PATH);
  int error = errno;
  unsetenv(kHandover);
  pass_nothing();
  go_back(fmt::format("it cannot be executed: {}", std::strerror(error)));
}

// ---- forward

void Parent::upgrade_asked() {
  if (options_.argv.empty() || stage_ != Stage::running) return;
  if (step_ != Step::none) {
    again_ = true;
    return;
  }
  begun_ = BootClock::now().time_since_epoch().count();
  log::info("serve.upgrade", fmt::format("upgrading to {}", options_.program.string()));
  systemd_.reloading();
  ask();
}

/// A binary that does not start here, or does not understand the settings, says so before anything is
/// changed.
void Parent::ask() {
  failpoint("serve.upgrade.ask.before");
  try {
    int fd = open(options_.program.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw_errno(Error::missing, fmt::format("open {}", options_.program.string()), errno);
    program_ = std::make_shared<const Fd>(fd);
    asked_out_ = memory("options");
    asked_err_ = memory("problems");
    Command command;
    command.argv = options_.argv;
    command.argv.insert(command.argv.end(), options_.ask_argv.begin(), options_.ask_argv.end());
    command.environment = childs_environment();
    command.fds = {{asked_out_.get(), STDOUT_FILENO}, {asked_err_.get(), STDERR_FILENO}};
    command.program_fd = program_->get();
    asked_pid_ = spawn(command);
  } catch (const Error& error) {
    return upgrade_over(error.what());
  }
  step_ = Step::asking;
  step_until_ = Deadline::after(kReadyPatience);
  failpoint("serve.upgrade.ask.after");
}

void Parent::asked(const Exit& exit) {
  asked_pid_ = 0;
  Fd out = std::move(asked_out_), err = std::move(asked_err_);
  if (stage_ != Stage::running || step_ != Step::asking) return;
  if (!exit.ok()) {
    std::string why = last_line(read_memfd(err));
    return upgrade_over(fmt::format("it {}{}{}", text(exit), why.empty() ? "" : ": ", why));
  }
  try {
    next_ = parse_options(Json::parse(read_memfd(out)));
  } catch (const Error& error) {
    return upgrade_over(fmt::format("it does not say what it would start: {}", error.what()));
  }
  if (next_.state != options_.state || next_.run != options_.run) {
    return upgrade_over(
        "the state and the API's directory cannot change while serve runs: stop it and start it");
  }
  next_.argv = options_.argv;
  next_.program = options_.program;
  replace_control();
}

void Parent::replace_control() {
  failpoint("serve.upgrade.control.before");
  step_ = Step::stopping_control;
  step_until_ = Deadline::after(kControlGrace);
  if (!control_.running()) return start_next_control();
  control_.signal(SIGTERM);
}

void Parent::start_next_control() {
  control_.become(program_, next_.control_argv);
  step_ = Step::starting_control;
  step_until_ = Deadline::after(kReadyPatience);
  start_control();
  failpoint("serve.upgrade.control.after");
  if (!control_.running()) go_back("its control cannot be started");
}

void Parent::start_next_router() {
  failpoint("serve.upgrade.router.before");
  step_ = step_ == Step::starting_control ? Step::starting_router : Step::restoring_router;
  step_until_ = Deadline::after(kReadyPatience);
  bool forward = step_ == Step::starting_router;
  next_router_.emplace("router", forward ? next_.router_argv : options_.router_argv,
                       forward ? program_ : nullptr);
  start_router(*next_router_);
  failpoint("serve.upgrade.router.after");
  if (next_router_->running()) return;
  next_router_.reset();
  go_back("its router cannot be started");
}

void Parent::router_is_ready(Child& router, std::string epoch) {
  if (stage_ != Stage::running) return;
  if (!next_router_ || &router != &*next_router_) {
    if (&router == &router_) router_epoch_ = std::move(epoch);
    return;
  }
  if (!router_epoch_.empty()) epochs_before_.push_back(router_epoch_);
  if (epochs_before_.size() > kEpochs) epochs_before_.pop_front();
  router_epoch_ = std::move(epoch);
  retire_router();
  router_is_new_ = !router_is_new_;
  if (step_ == Step::restoring_router) return upgrade_over(failure_);
  step_until_ = Deadline::never();
  hand_over();
}

void Parent::retire_router() {
  failpoint("serve.upgrade.retire.before");
  if (router_.running()) {
    router_.push(Json::object({{"type", "retire"}}), {});
    retiring_.push_back({std::move(router_), Deadline::never()});
  }
  router_ = std::move(*next_router_);
  next_router_.reset();
  if (retiring_.size() > kRetiring) {
    auto oldest = std::ranges::find(retiring_, Deadline::never(), &Retiring::killed_at);
    oldest->router.signal(SIGTERM);
    oldest->killed_at = Deadline::after(kRouterGrace);
  }
  failpoint("serve.upgrade.retire.after");
}

// ---- and back

void Parent::step_took_too_long() {
  step_until_ = Deadline::never();
  switch (step_) {
    case Step::asking:
      kill(asked_pid_, SIGKILL);  // not reaped yet, so the number is still its own
      return upgrade_over("it did not say what it would start");
    case Step::stopping_control: return control_.signal(SIGKILL);
    case Step::starting_control:
      return go_back(fmt::format("its control was not ready after {}", text(kReadyPatience)));
    case Step::starting_router:
      return go_back(fmt::format("its router was not ready after {}", text(kReadyPatience)));
    default: return upgrade_over(failure_);
  }
}

void Parent::go_back(const std::string& reason) {
  log::error("serve.upgrade", fmt::format("going back to version {}: {}", options_.version, reason));
  failpoint("serve.upgrade.back.before");
  if (next_router_) {
    // It may have accepted something already.
    next_router_->signal(SIGTERM);
    retiring_.push_back({std::move(*next_router_), Deadline::after(kRouterGrace)});
    next_router_.reset();
  }
  bool restoring = step_ == Step::restoring_control || step_ == Step::restoring_router;
  if (restoring) return upgrade_over(failure_);
  failure_ = reason;
  step_ = Step::ending_control;
  step_until_ = Deadline::never();
  if (!control_.running()) return restore_control();
  control_.signal(SIGKILL);
}

void Parent::restore_control() {
  std::vector<std::string> argv = options_.control_argv;
  argv.emplace_back(kGoingBack);
  control_.become(nullptr, std::move(argv));
  step_ = Step::restoring_control;
  step_until_ = Deadline::after(kReadyPatience);
  start_control();
  failpoint("serve.upgrade.back.after");
}

void Parent::control_is_restored() {
  control_.become(nullptr, options_.control_argv);
  if (router_is_new_) return start_next_router();
  upgrade_over(failure_);
}

/// Done, without a `failure`: then this is the new image.
void Parent::upgrade_over(const std::string& failure) {
  step_ = Step::none;
  step_until_ = Deadline::never();
  program_.reset();
  Json result = Json::object({{"result", failure.empty() ? "done" : "failed"},
                              {"from", options_.version},
                              {"to", failure.empty() ? Json(next_.version) : Json()},
                              {"begun_ns", begun_},
                              {"boot", boot_id()},
                              {"at", rfc3339(system_clock().wall())}});
  std::string said;
  if (failure.empty()) {
    said = fmt::format("version {} serves, in place of {}", next_.version, options_.version);
    log::info("serve.upgrade", said);
    options_ = next_;
  } else {
    said = fmt::format("version {} serves on; upgrade to {} failed: {}", options_.version,
                       options_.program.string(), failure);
    result["reason"] = failure;
    log::error("serve.upgrade", said);
  }
  try {
    write_file_atomic(options_.run / "upgrade.json", result.print(), 0640);
  } catch (const Error& error) {
    log::warning("serve.upgrade", error.what());
  }
  systemd_.tell(fmt::format("READY=1\nMAINPID={}\nSTATUS={}", getpid(), said));
  if (std::exchange(again_, false)) upgrade_asked();
}

/// Serve is to stop: what the upgrade has begun ends with everything else.
void Parent::give_up_upgrade() {
  again_ = false;
  if (step_ == Step::none) return;
  step_ = Step::none;
  step_until_ = Deadline::never();
  if (asked_pid_ != 0) kill(asked_pid_, SIGKILL);
}

}  // namespace holdall::serve
