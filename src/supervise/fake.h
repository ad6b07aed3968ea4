#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "supervise/supervise.h"

namespace holdall::supervise {

/// A supervisor without an engine, for tests: instances are ready as soon as they are wanted and gone as soon
/// as they are not, unless the test says otherwise. It outlives those who use it as real groups outlive
/// control. Thread-safe.
class FakeSupervisor final : public Supervisor {
 public:
  explicit FakeSupervisor(const Clock& clock)
      : clock_(clock), snapshot_(std::make_shared<const Snapshot>()) {}

  // What the test decides.

  /// New instances of this service begin in `health`, with `reason`; `ready` again makes it as it was.
  void begins(const std::string& service, Health health, std::string reason = "") {
    std::lock_guard lock(mutex_);
    begins_[service] = {health, std::move(reason)};
  }
  /// What unwanted instances do: stay `stopping` until `vanish`.
  void keep_stopping(bool keep) {
    std::lock_guard lock(mutex_);
    keep_stopping_ = keep;
  }
  void vanish(const GroupId& group) {
    change([&](std::vector<InstanceStatus>& all) {
      std::erase_if(all, [&](const InstanceStatus& one) { return one.group == group; });
    });
  }
  void set(const GroupId& group, int slot, Health health, std::string reason = "") {
    change([&](std::vector<InstanceStatus>& all) {
      for (InstanceStatus& one : all) {
        if (one.group == group && one.slot == slot) become(one, health, reason);
      }
    });
  }
  /// As after a crash of control: what is ready is so by record only, until `set` says it anew.
  void forget_probes() {
    change([](std::vector<InstanceStatus>& all) {
      for (InstanceStatus& one : all) one.confirmed = one.health != Health::ready;
    });
  }
  /// From now on nobody hears what a probe found, until `set` says it.
  void stop_answering() { answers_ = false; }
  /// The slot is started again: another instance, one restart more.
  void restart(const GroupId& group, int slot) {
    change([&](std::vector<InstanceStatus>& all) {
      for (InstanceStatus& one : all) {
        if (one.group != group || one.slot != slot) continue;
        ++one.restarts;
        one.id.value += "'";
        become(one, Health::ready, "");
      }
    });
  }

  /// The slot's instance leaves, for another one that is ready.
  void replace(const GroupId& group, int slot, Instant until) {
    std::lock_guard lock(mutex_);
    Snapshot next = *snapshot_;
    for (InstanceStatus& one : next.instances) {
      if (one.group != group || one.slot != slot) continue;
      next.leaving.push_back({one.id, until});
      one.id.value += "'";
    }
    publish(std::move(next));
  }

  // What the test asks.

  /// "want hello/web@v1", "unwant hello/web@v1", "closely hello/web@v1", "loosely ...", oldest first.
  std::vector<std::string> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }

  // Supervisor.

  void want(const Group& group) override {
    std::lock_guard lock(mutex_);
    calls_.push_back("want " + group.id.value);
    const auto [found, fresh] = wanted_.try_emplace(group.id, group);
    if (!fresh && found->second != group) {
      throw Error(Error::conflict, group.id.value + " is wanted with other contents already");
    }
    if (!fresh) return;
    Snapshot next = *snapshot_;
    for (int slot = 1; slot <= group.replicas; ++slot) next.instances.push_back(fresh_instance(group, slot));
    publish(std::move(next));
  }

  void unwant(const GroupId& group) override {
    std::lock_guard lock(mutex_);
    calls_.push_back("unwant " + group.value);
    wanted_.erase(group);
    Snapshot next = *snapshot_;
    for (InstanceStatus& one : next.instances) {
      if (one.group == group) one.health = Health::stopping;
    }
    if (!keep_stopping_)
      std::erase_if(next.instances, [&](const InstanceStatus& one) { return one.group == group; });
    publish(std::move(next));
  }

  void resize(const GroupId& group, int replicas) override {
    std::lock_guard lock(mutex_);
    calls_.push_back("resize " + group.value + " " + std::to_string(replicas));
    const auto found = wanted_.find(group);
    if (found == wanted_.end()) throw Error(Error::missing, group.value + " does not run");
    Snapshot next = *snapshot_;
    for (int slot = found->second.replicas + 1; slot <= replicas; ++slot)
      next.instances.push_back(fresh_instance(found->second, slot));
    const auto too_many = [&](const InstanceStatus& one) {
      return one.group == group && one.slot > replicas;
    };
    for (InstanceStatus& one : next.instances) {
      if (too_many(one)) one.health = Health::stopping;
    }
    if (!keep_stopping_) std::erase_if(next.instances, too_many);
    found->second.replicas = replicas;
    publish(std::move(next));
  }

  void signal(const InstanceId& instance, int number) override {
    std::lock_guard lock(mutex_);
    calls_.push_back("signal " + instance.value + " " + std::to_string(number));
  }

  void let_go(const InstanceId& instance) override {
    std::lock_guard lock(mutex_);
    calls_.push_back("let go " + instance.value);
    Snapshot next = *snapshot_;
    std::erase_if(next.leaving, [&](const Leaving& one) { return one.id == instance; });
    publish(std::move(next));
  }

  void watch_closely(const GroupId& group, bool closely) override {
    std::lock_guard lock(mutex_);
    calls_.push_back((closely ? "closely " : "loosely ") + group.value);
  }

  void look_again(const GroupId& group) override {
    if (answers_) return;
    change([&](std::vector<InstanceStatus>& all) {
      for (InstanceStatus& one : all) {
        if (one.group == group && one.health == Health::ready) one.confirmed = false;
      }
    });
  }

  std::vector<Group> wanted() const override {
    std::lock_guard lock(mutex_);
    std::vector<Group> all;
    for (const auto& [id, group] : wanted_) all.push_back(group);
    return all;
  }

  std::shared_ptr<const Snapshot> snapshot() const override {
    std::lock_guard lock(mutex_);
    return snapshot_;
  }

  std::shared_ptr<const Snapshot> wait(std::uint64_t seen, Deadline deadline,
                                       const std::stop_token& stop = {}) const override {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, deadline.at(), [&] { return snapshot_->version > seen; });
    return snapshot_;
  }

  bool gone(const std::vector<GroupId>& groups, Deadline deadline) const override {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline.at(), [&] {
      return std::ranges::none_of(snapshot_->instances, [&](const InstanceStatus& one) {
        return std::ranges::find(groups, one.group) != groups.end();
      });
    });
  }

 private:
  struct Begin {
    Health health = Health::ready;
    std::string reason;
  };

  InstanceStatus fresh_instance(const Group& group, int slot) {
    InstanceStatus one;
    one.id = {group.id.value + "#" + std::to_string(slot)};
    one.group = group.id;
    one.app = group.workload.app;
    one.service = group.workload.service;
    one.slot = slot;
    if (group.has_port) one.address = {"127.0.0.1", next_port_++, {}};
    one.executed = clock_.now();
    const Begin begin = begins_[one.service];
    become(one, begin.health, begin.reason);
    return one;
  }

  void become(InstanceStatus& one, Health health, const std::string& reason) const {
    one.health = health;
    one.confirmed = true;
    one.reason = reason;
    if (health == Health::ready) {
      one.unready_since.reset();
      one.ready_since = clock_.now();
      if (!one.accepted) one.accepted = clock_.now();
    }
    if (health == Health::unready) one.unready_since = clock_.now();
  }

  void change(const std::function<void(std::vector<InstanceStatus>&)>& how) {
    std::lock_guard lock(mutex_);
    Snapshot next = *snapshot_;
    how(next.instances);
    publish(std::move(next));
  }

  void publish(Snapshot next) {
    ++next.version;
    snapshot_ = std::make_shared<const Snapshot>(std::move(next));
    changed_.notify_all();
  }

  const Clock& clock_;
  mutable std::mutex mutex_;  ///< of all that follows
  mutable std::condition_variable_any changed_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<GroupId, Group> wanted_;
  std::map<std::string, Begin> begins_;
  bool answers_ = true;
  bool keep_stopping_ = false;
  std::uint16_t next_port_ = 40'001;
  std::vector<std::string> calls_;
};

}  // namespace holdall::supervise
