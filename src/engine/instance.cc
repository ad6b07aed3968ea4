#include "engine/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/cgroups.h"
#include "engine/launch.h"
#include "engine/processes.h"
#include "engine/secrets.h"
#include "engine/shim/segments.h"

namespace holdall::engine {
namespace {

/// As large as the system lets us: what an app may say in one go while the disk is slow.
Pipe make_output_pipe() {
  Pipe pipe = make_pipe(0);
  constexpr int kPipeBytes = 1 << 20;
  fcntl(pipe.write.get(), F_SETPIPE_SZ, kPipeBytes);
  return pipe;
}

Fd open_directory(const std::filesystem::path& path) {
  return Fd(checked(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open " + path.string()));
}

}  // namespace

Watched::Watched(int epoll, Fd fd) : epoll_(epoll), fd_(std::move(fd)) {
  epoll_event event{.events = EPOLLIN, .data = {}};
  checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_.get(), &event), "watch a descriptor");
}

Watched& Watched::operator=(Watched&& other) noexcept {
  if (this != &other) {
    reset();
    epoll_ = other.epoll_;
    fd_ = std::move(other.fd_);
  }
  return *this;
}

void Watched::reset() {
  if (fd_) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd_.get(), nullptr);
  fd_.reset();
}

ProcessInstance::ProcessInstance(const Surroundings& surroundings, Record record)
    : surroundings_(surroundings),
      record_(std::move(record)),
      dir_(surroundings.instances / record_.id.value) {}

std::unique_ptr<ProcessInstance> ProcessInstance::adopt(const Surroundings& surroundings,
                                                        const std::filesystem::path& directory) {
  InstanceDir dir(directory);
  // The lock first: while it is held, what the directory lacks may still come; once it is free, nothing will.
  bool locked = dir.is_locked();
  std::optional<Record> record = dir.record();
  if (!record || (!locked && !dir.ending() && !dir.tree())) {
    if (record) remove_groups(record->groups);
    dir.remove();
    return nullptr;
  }
  auto instance = std::make_unique<ProcessInstance>(surroundings, *record);
  instance->phase_ = alive_;
  instance->shim_lives_ = locked;
  if (locked) {
    instance->connect();
  } else {
    instance->shim_left();
  }
  return instance;
}

void ProcessInstance::start() {
  phase_ = alive_;
  try {
    start_shim();
  } catch (const Error& error) {
    fail(fmt::format("cannot be started: {}", error.what()));
  }
}

void ProcessInstance::fail(std::string why) {
  phase_ = ended_;
  ending_.failure = std::move(why);
}

/// Each step leaves something by which the next control can tell how far it came (docs/formats/shim.md).
void ProcessInstance::start_shim() {
  failpoint("engine.start.mkdir.before");
  checked(mkdir(dir_.path().c_str(), 0700), "make " + dir_.path().string());
  failpoint("engine.start.mkdir.after");

  failpoint("engine.start.meta.before");
  std::filesystem::create_directories(record_.logs);
  dir_.write(record_);
  failpoint("engine.start.meta.after");

  failpoint("engine.start.lock.before");
  Fd listener = ShimLink::listen(dir_.socket());
  Fd lock = dir_.take_lock();
  failpoint("engine.start.lock.after");

  failpoint("engine.start.keep.before");
  Pipe out = make_output_pipe(), err = make_output_pipe();
  surroundings_.keeper.keep(record_.id, out.read, err.read);
  failpoint("engine.start.keep.after");

  Fd directory = open_directory(dir_.path()), logs = open_directory(record_.logs);
  connect();
  Fd secrets = open_secrets(record_, surroundings_.secrets, true);
  failpoint("engine.start.groups.before");
  make_groups(record_.groups, record_.limits);
  failpoint("engine.start.groups.after");

  failpoint("engine.start.spawn.before");
  Launched launched =
      launch(surroundings_.shim, record_, {lock, listener, directory, logs, out, err, secrets});
  shim_lives_ = true;
  pidfd_ = Watched(surroundings_.epoll, std::move(launched.pidfd));
  failpoint("engine.start.spawn.after");
}

void ProcessInstance::connect() {
  link_ = ShimLink::connect(dir_.socket());
  if (!link_) return;
  link_watch_ = Watched(surroundings_.epoll, link_->fd().duplicate());
  link_->ask_hello();
  if (stopping_) link_->stop(record_.stop_signal, record_.stop_grace);
}

void ProcessInstance::stop() {
  if (stopping_ || phase_ == ended_) return;
  failpoint("engine.stop.before");
  stopping_ = true;
  if (link_) link_->stop(record_.stop_signal, record_.stop_grace);
  failpoint("engine.stop.after");
}

bool ProcessInstance::signal(int number) {
  if (!link_ || phase_ != alive_) return false;
  link_->signal(number);
  return true;
}

void ProcessInstance::advance() {
  if (shim_lives_) {
    if (!link_ && phase_ == alive_) connect();
    if (link_) hear();
    if (shim_is_dead()) shim_left();
  } else if (phase_ == lost_) {
    finish_lost();
  }
}

void ProcessInstance::hear() {
  for (;;) {
    switch (link_->hear()) {
      case ShimLink::Heard::nothing: return;
      case ShimLink::Heard::other: break;
      case ShimLink::Heard::hello: hear_hello(*link_->hello()); break;
      case ShimLink::Heard::exited: take_ending(); break;
      case ShimLink::Heard::end:
        link_watch_.reset();
        link_.reset();
        return;
    }
  }
}

void ProcessInstance::hear_hello(const Hello& hello) {
  if (hello.id != record_.id || hello.boot_id != record_.boot_id || hello.uid != geteuid()) {
    log::error("engine.stranger",
               fmt::format("{} answers for another instance or another user", dir_.path().string()));
    return;
  }
  executed_ = hello.executed;
  stopping_ |= hello.stopping;
  if (!pidfd_) {
    Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, hello.shim, 0)));
    // Locked still, so that the pid cannot have been given to another process before it was opened.
    if (pidfd && dir_.is_locked()) pidfd_ = Watched(surroundings_.epoll, std::move(pidfd));
  }
  tree_ = dir_.tree();
}

bool ProcessInstance::shim_is_dead() const {
  if (pidfd_) {
    pollfd dead{pidfd_.get(), POLLIN, 0};
    return poll(&dead, 1, 0) == 1;
  }
  return !link_ && !dir_.is_locked();
}

void ProcessInstance::shim_left() {
  if (!tree_) tree_ = dir_.tree();
  bool namespace_is_empty = pidfd_ && tree_ && tree_->kind == Tree::pid_namespace;
  if (pidfd_) {
    // Of a former control's shim this is none of our business, and an error that does not matter.
    siginfo_t info;
    waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG);
  }
  shim_lives_ = false;
  link_watch_.reset();
  link_.reset();
  pidfd_.reset();
  if (phase_ != ended_) take_ending();
  if (phase_ == ended_) return;
  // A control that never heard its shim knows it from what the child left on its way into the program.
  if (!executed_ && tree_) executed_ = tree_->started;
  if (namespace_is_empty) tree_.reset();
  phase_ = lost_;
  finish_lost();
}

void ProcessInstance::take_ending() {
  auto ending = dir_.ending();
  if (!ending) return;
  ending_ = *ending;
  ending_.memory_kills = memory_kills(record_.groups);
  executed_ = ending_.executed;
  phase_ = ended_;
}

/// Nobody will say how it ended. First nothing of it may be left running, then what it said last is saved.
void ProcessInstance::finish_lost() {
  if (record_.boot_id != boot_id()) {
    ending_.failure = "the machine restarted";
  } else {
    std::vector<pid_t> left = processes_in(record_.groups);
    if (tree_) std::ranges::copy(processes_of(*tree_), std::back_inserter(left));
    // The kernel kills a namespace whose init is dead; elsewhere it is for us to do.
    if (!tree_ || tree_->kind == Tree::session) {
      for (pid_t pid : left) kill(pid, SIGKILL);
    }
    if (!left.empty()) return;
    ending_.failure = "its shim was killed";
    ending_.memory_kills = memory_kills(record_.groups);
  }
  ending_.executed = executed_;
  phase_ = ended_;
  try {
    drain();
    dir_.write(ending_);
  } catch (const Error& error) {
    // The next control finds it without an end and tries again.
    log::error("engine.drain",
               fmt::format("the last output of {} is not saved: {}", record_.id.value, error.what()));
  }
}

void ProcessInstance::drain() const {
  auto kept = surroundings_.keeper.take(record_.id);
  if (!kept) return;
  Fd logs = open_directory(record_.logs);
  for (auto& [pipe, stream] : {std::pair(&kept->first, "stdout"), std::pair(&kept->second, "stderr")}) {
    Segments segments(logs.get(), stream);
    if (!segments.resume()) throw_errno(Error::broken, "read " + record_.logs, errno);
    while (segments.move(pipe->get()) == Segments::Moved::some) {
    }
    segments.flush();
  }
}

bool ProcessInstance::clear_groups() {
  groups_left_ = !remove_groups(record_.groups);
  // A health command, say, that has left the tree.
  if (groups_left_) {
    for (pid_t pid : processes_in(record_.groups)) kill(pid, SIGKILL);
  }
  return !groups_left_;
}

void ProcessInstance::remove() {
  failpoint("engine.cleanup.before");
  dir_.remove();
  surroundings_.keeper.drop(record_.id);
  failpoint("engine.cleanup.after");
}

bool ProcessInstance::needs_time() const {
  return phase_ == lost_ || groups_left_ || (shim_lives_ && !pidfd_ && !link_);
}

Instance ProcessInstance::observed() const {
  Instance instance{.id = record_.id, .group = record_.group, .slot = record_.slot};
  if (record_.port != 0) instance.address = net::Address{.host = "127.0.0.1", .port = record_.port};
  instance.executed = executed_;
  if (ended()) {
    instance.state = State::exited;
    instance.exit = ending_.exit;
    instance.failure = ending_.failure;
    instance.memory_kills = ending_.memory_kills;
  } else if (stopping_) {
    instance.state = State::stopping;
  } else {
    instance.state = executed_ ? State::running : State::starting;
  }
  return instance;
}

}  // namespace holdall::engine
