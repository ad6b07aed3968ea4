#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "engine/engine.h"

namespace holdall::engine {

/// An engine without processes, for tests: members run as soon as they are applied, unless `starts_run` says
/// otherwise, and everything else that may befall an instance is one call of the test. It outlives those who
/// use it as real instances outlive control. Thread-safe.
class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(const Clock& clock) : clock_(clock), event_(make_event()) {}

  // What the test decides.

  /// Whether a new member runs at once; else it is `starting` until `run`.
  bool starts_run = true;
  /// Whether a stopped instance vanishes at once; else it is `stopping` until `vanish`.
  bool stops_vanish = true;
  /// Whether the machine has control groups of memory.
  bool limits_memory = true;
  /// When set, the next member fails to start with these words.
  std::string next_start_fails;
  /// What `exec` answers; exit 0 when unset. Called without the lock.
  std::function<Output(const InstanceId&, const std::vector<std::string>&)> on_exec;

  /// What `attend` and `once` start. Called without the lock.
  std::function<std::unique_ptr<Process>(const InstanceId&, const Program&, const Stdio&)> on_attend;

  void run(const InstanceId& id) {
    change(id, [&](Instance& instance) {
      instance.state = State::running;
      instance.executed = clock_.now();
    });
  }
  void exit(const InstanceId& id, Exit exit) {
    change(id, [&](Instance& instance) {
      instance.state = State::exited;
      instance.exit = exit;
    });
  }
  /// Nobody knows how it ended: its shim was killed.
  void die(const InstanceId& id, std::string failure) {
    change(id, [&](Instance& instance) {
      instance.state = State::exited;
      instance.failure = std::move(failure);
    });
  }
  /// It is gone without a trace, as after a reboot.
  void vanish(const InstanceId& id) {
    std::lock_guard lock(mutex_);
    instances_.erase(id);
    poke(event_);
  }
  void vanish_all() {
    std::lock_guard lock(mutex_);
    instances_.clear();
    poke(event_);
  }
  /// An instance that no control of ours asked for.
  void add_stray(const GroupId& group, const InstanceId& id) {
    std::lock_guard lock(mutex_);
    instances_[id] = Instance{.id = id, .group = group, .slot = 1, .state = State::running, .address = {}};
    poke(event_);
  }
  /// As the kernel does when its memory is used up.
  void kill_for_memory(const InstanceId& id) {
    change(id, [](Instance& instance) {
      instance.state = State::exited;
      instance.exit = Exit{.signal = 9};
      instance.memory_kills = 1;
    });
  }
  void touch(const InstanceId& id) {
    std::lock_guard lock(mutex_);
    touched_[id] += '.';
  }
  void set_listeners(const InstanceId& id, std::vector<Listener> listeners) {
    std::lock_guard lock(mutex_);
    listeners_[id] = std::move(listeners);
  }
  /// `free_port` answers this one next.
  void offer_port(std::uint16_t port) {
    std::lock_guard lock(mutex_);
    offered_.push_back(port);
  }

  // What the test asks.

  /// Those that run or are being started, in order of their start.
  std::vector<Instance> live() const {
    std::lock_guard lock(mutex_);
    std::vector<Instance> live;
    for (const InstanceId& id : started_) {
      auto found = instances_.find(id);
      if (found == instances_.end()) continue;
      if (found->second.state == State::running || found->second.state == State::starting) {
        live.push_back(found->second);
      }
    }
    return live;
  }
  /// Every instance that ever was started, in order.
  std::vector<InstanceId> started() const {
    std::lock_guard lock(mutex_);
    return started_;
  }
  /// What `leave` was asked to run.
  std::vector<std::pair<InstanceId, std::vector<std::string>>> left() const {
    std::lock_guard lock(mutex_);
    return left_;
  }
  /// What copies `once` was asked for.
  std::vector<Workload> copies() const {
    std::lock_guard lock(mutex_);
    return copies_;
  }
  /// Every signal that was sent, in order.
  std::vector<std::pair<InstanceId, int>> signals() const {
    std::lock_guard lock(mutex_);
    return signals_;
  }
  std::size_t present() const {
    std::lock_guard lock(mutex_);
    return instances_.size();
  }

  // Engine.

  Capabilities capabilities() const override { return {}; }

  Digest prepare(const std::filesystem::path& source, const std::vector<std::string>& build,
                 Deadline) override {
    std::string all = source.string();
    for (const std::string& word : build) all += '\0' + word;
    Digest digest = sha256(all);
    std::lock_guard lock(mutex_);
    artefacts_.insert(digest);
    return digest;
  }
  bool has(const Digest& artefact) const override {
    std::lock_guard lock(mutex_);
    return artefacts_.contains(artefact);
  }
  void keep_artefacts(const std::vector<Digest>& kept) override {
    std::lock_guard lock(mutex_);
    std::erase_if(artefacts_,
                  [&](const Digest& digest) { return std::ranges::find(kept, digest) == kept.end(); });
  }

  void apply(const Group& group) override {
    std::lock_guard lock(mutex_);
    auto is_member = [&](const InstanceId& id) {
      return std::ranges::any_of(group.members, [&](const Member& member) { return member.id == id; });
    };
    for (auto each = instances_.begin(); each != instances_.end();) {
      Instance& instance = each->second;
      if (instance.group != group.id || is_member(instance.id)) {
        ++each;
        continue;
      }
      bool vanishes = stops_vanish || instance.state == State::exited;
      instance.state = State::stopping;
      each = vanishes ? instances_.erase(each) : std::next(each);
      poke(event_);
    }
    for (const Member& member : group.members) {
      if (!instances_.contains(member.id)) start(group, member);
    }
  }

  void signal(const InstanceId& id, int number) override {
    std::lock_guard lock(mutex_);
    const auto found = instances_.find(id);
    if (found == instances_.end() || found->second.state == State::exited)
      throw Error(Error::missing, "no instance " + id.value + " is running");
    signals_.emplace_back(id, number);
  }

  std::vector<Instance> observe() override {
    std::lock_guard lock(mutex_);
    clear(event_);
    std::vector<Instance> all;
    for (const auto& [id, instance] : instances_) all.push_back(instance);
    return all;
  }

  int changes() const override { return event_.get(); }

  Output exec(const InstanceId& id, const std::vector<std::string>& argv, Deadline) override {
    return on_exec ? on_exec(id, argv) : Output{};
  }

  std::unique_ptr<Process> attend(const InstanceId& id, const Program& program, const Stdio& stdio) override {
    if (!on_attend) throw Error(Error::missing, "no instance " + id.value + " is running");
    return on_attend(id, program, stdio);
  }
  void leave(const InstanceId& id, const Program& program) override {
    std::lock_guard lock(mutex_);
    left_.emplace_back(id, program.argv);
  }
  std::unique_ptr<Process> once(const Copy& copy, const Workload& workload, const Program& program,
                                const Stdio& stdio) override {
    {
      std::lock_guard lock(mutex_);
      copies_.push_back(workload);
    }
    if (!on_attend) throw Error(Error::missing, "no artefact");
    return on_attend(copy.id, program, stdio);
  }

  std::string touched(const InstanceId& id, const std::string&) const override {
    std::lock_guard lock(mutex_);
    auto found = touched_.find(id);
    return found == touched_.end() ? "" : found->second;
  }

  std::vector<Listener> listeners(const InstanceId& id) const override {
    std::lock_guard lock(mutex_);
    if (auto known = instances_.find(id);
        known == instances_.end() || known->second.state != State::running) {
      throw Error(Error::missing, "no instance " + id.value + " is running");
    }
    auto found = listeners_.find(id);
    return found == listeners_.end() ? std::vector<Listener>() : found->second;
  }

  std::vector<std::string> unenforced(const Limits& limits) const override {
    return limits.memory && !limits_memory ? std::vector<std::string>{"the memory limit is not enforced"}
                                           : std::vector<std::string>();
  }
  std::vector<ProcessInfo> processes(const InstanceId&) const override {
    return {{.pid = 7, .parent = 1, .uid = 200'000, .started = clock_.now(), .command = "serve --all"}};
  }
  Usage usage(const InstanceId&) const override {
    return {.cpu = std::chrono::seconds(2), .memory = 5 << 20, .processes = 1};
  }

  std::uint16_t free_port(const std::vector<std::uint16_t>& taken) override {
    std::lock_guard lock(mutex_);
    if (!offered_.empty()) {
      std::uint16_t port = offered_.front();
      offered_.pop_front();
      return port;
    }
    constexpr std::uint16_t kFirst = 20000;
    std::uint16_t port = kFirst;
    while (std::ranges::find(taken, port) != taken.end()) ++port;
    return port;
  }

 private:
  void start(const Group& group, const Member& member) {
    Instance instance{.id = member.id, .group = group.id, .slot = member.slot, .address = {}};
    if (member.port) instance.address = {.host = "127.0.0.1", .port = member.port, .path = ""};
    if (!next_start_fails.empty()) {
      instance.state = State::exited;
      instance.failure = std::exchange(next_start_fails, {});
    } else if (starts_run) {
      instance.state = State::running;
      instance.executed = clock_.now();
    }
    started_.push_back(member.id);
    instances_[member.id] = std::move(instance);
    poke(event_);
  }

  void change(const InstanceId& id, const std::function<void(Instance&)>& how) {
    std::lock_guard lock(mutex_);
    auto found = instances_.find(id);
    if (found == instances_.end()) throw Error(Error::missing, "no instance " + id.value);
    how(found->second);
    poke(event_);
  }

  const Clock& clock_;
  const Fd event_;
  mutable std::mutex mutex_;  ///< of all that follows
  std::map<InstanceId, Instance> instances_;
  std::map<InstanceId, std::vector<Listener>> listeners_;
  std::map<InstanceId, std::string> touched_;
  std::vector<InstanceId> started_;
  std::vector<std::pair<InstanceId, int>> signals_;
  std::vector<std::pair<InstanceId, std::vector<std::string>>> left_;
  std::vector<Workload> copies_;
  std::set<Digest> artefacts_;
  std::deque<std::uint16_t> offered_;
};

}  // namespace holdall::engine
