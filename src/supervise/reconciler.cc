#include "supervise/reconciler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "supervise/events.h"
#include "supervise/restart.h"
#include "supervise/status.h"

namespace holdall::supervise {
namespace {

using namespace std::chrono_literals;

// What the engine or the database refused is tried again this much later: a full disk or a dead engine is
// mended by people, and asking more often would only fill the log.
constexpr auto kAgain = 1s;

void check(const Group& group) {
  const bool connects = group.gate.kind == Gate::Kind::port || group.gate.kind == Gate::Kind::http;
  if (group.id.empty()) throw Error(Error::invalid, "a group needs an id");
  if (group.replicas < 0) throw Error(Error::invalid, fmt::format("{}: replicas below 0", group.id.value));
  if (connects && !group.has_port && group.gate.port == 0) {
    throw Error(Error::invalid, fmt::format("{}: its gate needs a port and it has none", group.id.value));
  }
  if (group.gate.kind == Gate::Kind::command && group.gate.command.empty()) {
    throw Error(Error::invalid, fmt::format("{}: its gate's command is empty", group.id.value));
  }
}

}  // namespace

Reconciler::Reconciler(engine::Engine& engine, store::Database& database, const Clock& clock, Prober& prober,
                       Point point)
    : engine_(engine), database_(database), clock_(clock), prober_(prober), point_(std::move(point)) {
  for (GroupRow& row : load_groups(database)) adopt(std::move(row));
  observe();
}

void Reconciler::adopt(GroupRow row) {
  Instant now = clock_.now();
  Supervised& in = groups_[row.group.id];
  in.group = std::move(row.group);
  in.wanted = row.wanted;
  in.closely = row.closely;
  in.apply_at = now;
  for (Try& each : row.tries) {
    Slot& slot = in.tries[{each.slot, each.place}];
    slot.row = std::move(each);
    if (!slot.row.this_boot) slot.row.since = slot.row.made_at = now;
    if (!slot.row.this_boot && slot.row.restart_at) slot.row.restart_at = now;
    // A try that was committed, and perhaps not yet applied, is applied now. Every other one ran.
    slot.started = slot.row.state != Health::starting || !slot.row.this_boot;
    if (!in.wanted || slot.row.ended() || slot.row.place == Place::leaving) continue;
    slot.watch.emplace(in.group.gate, in.closely, slot.row.state, slot.row.since, now);
  }
}

void Reconciler::want(const Group& group) {
  check(group);
  if (auto found = groups_.find(group.id); found != groups_.end()) {
    const Supervised& present = found->second;
    if (!present.wanted) throw Error(Error::conflict, fmt::format("{} is being stopped", group.id.value));
    if (present.group == group) return;
    throw Error(Error::conflict, fmt::format("{} already runs with other contents", group.id.value));
  }
  Instant now = clock_.now();
  GroupRow row{.group = group, .tries = {}};
  given_.clear();
  for (int slot = 1; slot <= group.replicas; ++slot) row.tries.push_back(first_try(group, slot, now));
  commit("supervise.want.commit", [&](store::Transaction& t) {
    insert_group(t, row, clock_);
    for (const Try& each : row.tries) record_events(t, group, {}, {{each.place, each}}, clock_);
  });
  Supervised& in = groups_[group.id];
  ++groups_changed_;
  in.group = group;
  in.apply_at = now;
  for (Try& each : row.tries) {
    Slot& slot = in.tries[{each.slot}];
    slot.row = std::move(each);
    slot.watch.emplace(group.gate, in.closely, now);
  }
}

void Reconciler::unwant(const GroupId& group) {
  auto found = groups_.find(group);
  if (found == groups_.end() || !found->second.wanted) return;
  Supervised& in = found->second;
  commit("supervise.unwant.commit", [&](store::Transaction& t) { set_unwanted(t, group); });
  in.wanted = false;
  ++groups_changed_;
  in.apply_at = clock_.now();
  for (auto& [at, slot] : in.tries) {
    prober_.cancel(slot.row.id);
    slot.watch.reset();
  }
}

void Reconciler::resize(const GroupId& group, int replicas) {
  auto found = groups_.find(group);
  if (found == groups_.end() || !found->second.wanted) {
    throw Error(Error::missing, fmt::format("{} does not run", group.value));
  }
  Supervised& in = found->second;
  if (in.group.replicas == replicas) return;
  Group resized = in.group;
  resized.replicas = replicas;
  check(resized);
  Instant now = clock_.now();
  std::vector<Try> fresh;
  given_.clear();
  for (int slot = in.group.replicas + 1; slot <= replicas; ++slot) {
    fresh.push_back(first_try(resized, slot, now));
  }
  commit("supervise.resize.commit", [&](store::Transaction& t) {
    resize_group(t, resized, fresh);
    for (const Try& each : fresh) record_events(t, resized, {}, {{each.place, each}}, clock_);
    for (int slot = replicas + 1; slot <= in.group.replicas; ++slot)
      record_events(t, resized, tries_of(in, slot), {}, clock_);
  });
  in.group = std::move(resized);
  in.apply_at = now;
  for (auto each = in.tries.lower_bound({replicas + 1}); each != in.tries.end();
       each = in.tries.erase(each)) {
    prober_.cancel(each->second.row.id);
  }
  for (Try& each : fresh) {
    Slot& slot = in.tries[{each.slot}];
    slot.row = std::move(each);
    slot.watch.emplace(in.group.gate, in.closely, now);
  }
}

void Reconciler::let_go(const InstanceId& instance) {
  for (auto& [id, in] : groups_) {
    for (auto each = in.tries.begin(); each != in.tries.end(); ++each) {
      if (each->first.place != Place::leaving || each->second.row.id != instance) continue;
      commit("supervise.leave.commit", [&](store::Transaction& t) {
        clear_place(t, in.group.id, each->first.slot, Place::leaving);
        record_events(t, in.group, {{Place::leaving, each->second.row}}, {}, clock_);
      });
      in.tries.erase(each);
      in.apply_at = clock_.now();
      return;
    }
  }
}

void Reconciler::watch_closely(const GroupId& group, bool closely) {
  auto found = groups_.find(group);
  if (found == groups_.end() || found->second.closely == closely) return;
  commit("supervise.watch.commit", [&](store::Transaction& t) { set_closely(t, group, closely); });
  found->second.closely = closely;
  for (auto& [at, slot] : found->second.tries) {
    if (slot.watch) slot.watch->set_closely(closely, clock_.now());
  }
}

void Reconciler::look_again(const GroupId& group) {
  auto found = groups_.find(group);
  if (found == groups_.end()) return;
  for (auto& [at, slot] : found->second.tries) {
    if (slot.watch) slot.watch->look_again(clock_.now());
  }
}

void Reconciler::observe() {
  std::vector<engine::Instance> all = engine_.observe();
  for (auto& [id, in] : groups_) in.observed.clear();
  for (engine::Instance& instance : all) {
    auto found = groups_.find(instance.group);
    if (found == groups_.end()) {
      strays_.insert(instance.group);
    } else {
      InstanceId id = instance.id;
      found->second.observed[std::move(id)] = std::move(instance);
    }
  }
  for (auto& [id, in] : groups_) {
    for (auto& [at, slot] : in.tries) {
      const engine::Instance* instance = seen(in, slot);
      if (!instance) continue;
      slot.started = true;
      if (slot.watch && instance->executed) slot.watch->executed(*instance->executed);
    }
  }
}

Instant Reconciler::step() {
  Instant now = clock_.now();
  again_at_.reset();
  try {
    take_verdicts(now);
    look_at_watches(now);
    settle(now);
    remove_strays();
    for (auto& [id, in] : groups_) {
      if (in.apply_at && *in.apply_at <= now) apply(in, now);
    }
    forget_gone();
    start_probes(now);
  } catch (const Error& error) {
    put_off(now, error);
  }
  return due(now);
}

void Reconciler::take_verdicts(Instant now) {
  for (const Prober::Result& result : prober_.take()) {
    for (auto& [id, in] : groups_) {
      for (auto& [at, slot] : in.tries) {
        if (slot.row.id == result.id && slot.watch) slot.watch->probe_ended(result.verdict, now);
      }
    }
  }
}

void Reconciler::look_at_watches(Instant now) {
  for (auto& [id, in] : groups_) {
    for (auto& [at, slot] : in.tries) {
      if (!slot.watch) continue;
      if (slot.watch->listeners_due(now)) {
        net::Address expected = address_of(slot.row, seen(in, slot));
        if (in.group.gate.port != 0) expected.port = in.group.gate.port;
        slot.watch->listens_on(listeners(slot.row.id), expected, now);
      }
      slot.watch->time_passed(now);
    }
  }
}

/// None of an instance that is not running, or no longer: how it ended is told by `observe`.
std::vector<engine::Listener> Reconciler::listeners(const InstanceId& id) const {
  try {
    return engine_.listeners(id);
  } catch (const Error&) {
    return {};
  }
}

/// The members are the tries that have not ended: the engine starts those that are new, stops and clears away
/// the rest.
void Reconciler::apply(Supervised& in, Instant now) {
  engine::Group group{in.group.id, in.group.workload, {}};
  bool starts = false;
  for (const auto& [at, slot] : in.tries) {
    if (!in.wanted || slot.row.ended()) continue;
    group.members.push_back({slot.row.id, slot.row.slot, slot.row.port});
    starts = starts || !slot.started;
  }
  try {
    act(starts ? "supervise.start.apply" : "supervise.stop.apply", [&] { engine_.apply(group); });
  } catch (const Error& error) {
    in.apply_at = now + kAgain;
    log::error("engine.refused", error.what(), Json::object({{"group", in.group.id.value}}));
    return;
  }
  in.apply_at.reset();
  observe();
  again_at_ = now;  // what was observed just now may have ended already
}

void Reconciler::remove_strays() {
  for (const GroupId& group : std::exchange(strays_, {})) {
    if (!groups_.contains(group)) act("supervise.stop.apply", [&] { engine_.remove(group); });
  }
}

/// A group that nobody wants goes when the engine, told so, shows none of it any more.
void Reconciler::forget_gone() {
  for (auto each = groups_.begin(); each != groups_.end();) {
    const auto& [id, in] = *each;
    if (in.wanted || in.apply_at || !in.observed.empty()) {
      ++each;
      continue;
    }
    commit("supervise.gone.commit", [&](store::Transaction& t) {
      delete_group(t, each->first);
      for (int slot = 1; slot <= in.group.replicas; ++slot)
        record_events(t, in.group, tries_of(in, slot), {}, clock_);
    });
    each = groups_.erase(each);
    ++groups_changed_;
  }
}

void Reconciler::start_probes(Instant now) {
  for (auto& [id, in] : groups_) {
    for (auto& [at, slot] : in.tries) {
      if (!slot.watch || !slot.watch->probe_due(now)) continue;
      slot.watch->probe_started(now);
      prober_.start(slot.row.id, in.group.gate, address_of(slot.row, seen(in, slot)));
    }
  }
}

Instant Reconciler::due(Instant now) const {
  Instant due = again_at_.value_or(Instant::max());
  for (const auto& [id, in] : groups_) {
    if (in.apply_at) due = std::min(due, *in.apply_at);
    for (const auto& [at, slot] : in.tries) {
      // An unready one may be past it, and waits for probes or for its replacement.
      if (in.wanted && slot.row.restart_at > now) due = std::min(due, *slot.row.restart_at);
      if (slot.watch) due = std::min(due, slot.watch->due());
    }
  }
  // What could not be done is not due again before its time.
  return again_at_ && *again_at_ > now ? std::max(due, *again_at_) : due;
}

void Reconciler::act(const std::string& point, const std::function<void()>& work) const {
  point_(point + ".before");
  work();
  point_(point + ".after");
}

void Reconciler::commit(const std::string& point,
                        const std::function<void(store::Transaction&)>& work) const {
  act(point, [&] { database_.write(work); });
}

void Reconciler::put_off(Instant now, const Error& error) {
  again_at_ = now + kAgain;
  log::error("supervise.put_off", error.what());
}

const engine::Instance* Reconciler::seen(const Supervised& in, const Slot& slot) const {
  auto found = in.observed.find(slot.row.id);
  return found == in.observed.end() ? nullptr : &found->second;
}

std::vector<Group> Reconciler::wanted() const {
  std::vector<Group> wanted;
  for (const auto& [id, in] : groups_) {
    if (in.wanted) wanted.push_back(in.group);
  }
  return wanted;
}

std::set<GroupId> Reconciler::present() const {
  std::set<GroupId> present;
  for (const auto& [id, in] : groups_) present.insert(id);
  return present;
}

std::vector<InstanceStatus> Reconciler::statuses() const {
  std::vector<InstanceStatus> statuses;
  for (const auto& [id, in] : groups_) {
    if (!in.wanted) {
      for (const auto& [instance, seen] : in.observed) statuses.push_back(status_of_stopping(in.group, seen));
      continue;
    }
    for (const auto& [at, slot] : in.tries) {
      if (at.place != Place::current) continue;
      const Watch* watch = slot.watch ? &*slot.watch : nullptr;
      statuses.push_back(status_of(in.group, slot.row, watch, seen(in, slot)));
      if (in.tries.contains({at.slot, Place::replacement})) {
        statuses.back().reason += "; another instance is being started in its place";
      }
    }
    for (const auto& [instance, seen] : in.observed) {
      if (!in.tries.contains({seen.slot})) statuses.push_back(status_of_stopping(in.group, seen));
    }
  }
  return statuses;
}

std::vector<Leaving> Reconciler::leaving() const {
  std::vector<Leaving> leaving;
  for (const auto& [id, in] : groups_) {
    for (const auto& [at, slot] : in.tries) {
      if (in.wanted && at.place == Place::leaving)
        leaving.push_back({slot.row.id, slot.row.restart_at.value_or(slot.row.since)});
    }
  }
  return leaving;
}

}  // namespace holdall::supervise
