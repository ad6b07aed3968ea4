// What becomes of tries: of those that end, that fail their probes, and that take another one's place.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "supervise/events.h"
#include "supervise/reasons.h"
#include "supervise/reconciler.h"
#include "supervise/restart.h"

namespace holdall::supervise {
namespace {

std::set<InstanceId> members(const std::map<Place, Try>& tries) {
  std::set<InstanceId> ids;
  for (const auto& [place, row] : tries) {
    if (!row.ended()) ids.insert(row.id);
  }
  return ids;
}

bool has_other_members(const std::map<Place, Try>& before, const std::map<Place, Try>& after) {
  return members(before) != members(after);
}

bool has_new_member(const std::map<Place, Try>& before, const std::map<Place, Try>& after) {
  return !std::ranges::includes(members(before), members(after));
}

Try placed(Try row, Place place) {
  row.place = place;
  return row;
}

void tell(const Group& group, const std::map<Place, Try>& before, const std::map<Place, Try>& after) {
  const Try &was = before.at(Place::current), &is = after.at(Place::current);
  const bool replaced = after.contains(Place::leaving) && !before.contains(Place::leaving);
  if (!replaced && is.id == was.id && (is.state == was.state || is.state == Health::ready)) return;
  const Try& about = replaced ? after.at(Place::leaving) : is;
  log::warning(
      "instance.changed",
      fmt::format("{}.{} {}: {}", group.workload.service, is.slot, replaced ? "replaced" : name(is.state),
                  about.reason),
      Json::object({{"group", group.id.value}, {"instance", is.id.value}, {"restarts", is.restarts}}));
}

}  // namespace

/// Writes down what has become of the tries, and which come next. Those that end and are started again at
/// once are in one commit with their successors.
void Reconciler::settle(Instant now) {
  std::vector<Change> healths, ends, replaced, starts;
  given_.clear();
  for (auto& [id, in] : groups_) {
    if (!in.wanted) continue;
    for (const auto& [at, current] : in.tries) {
      if (at.place != Place::current) continue;
      Tries before = tries_of(in, at.slot), after = settled(in, at.slot, now);
      if (before == after) continue;
      std::vector<Change>& changes = has_new_member(before, after)      ? starts
                                     : after.at(Place::current).ended() ? ends
                                     : has_other_members(before, after) ? replaced
                                                                        : healths;
      changes.push_back({in, at.slot, std::move(after)});
    }
  }
  put("supervise.health.commit", healths, now);
  put("supervise.exit.commit", ends, now);
  put("supervise.replace.commit", replaced, now);
  put("supervise.start.commit", starts, now);
}

Reconciler::Tries Reconciler::tries_of(const Supervised& in, int slot) const {
  Tries tries;
  for (auto each = in.tries.lower_bound({slot}); each != in.tries.end() && each->first.slot == slot; ++each)
    tries.emplace(each->first.place, each->second.row);
  return tries;
}

/// What is to be written for the slot.
Reconciler::Tries Reconciler::settled(const Supervised& in, int slot, Instant now) {
  Tries tries = tries_of(in, slot);
  if (auto leaving = in.tries.find({slot, Place::leaving}); leaving != in.tries.end()) {
    const bool time_is_up = now >= leaving->second.row.restart_at.value_or(now);
    if (time_is_up || has_ended(in, leaving->second)) tries.erase(Place::leaving);
  }
  if (auto replacement = in.tries.find({slot, Place::replacement}); replacement != in.tries.end()) {
    settle_replacement(in, replacement->second, tries, now);
  }
  settle_current(in, in.tries.at({slot}), tries, now);
  return tries;
}

/// A replacement that failed is gone; the next one waits as every next try does.
void Reconciler::settle_replacement(const Supervised& in, const Slot& slot, Tries& tries, Instant now) const {
  Try& row = tries.at(Place::replacement);
  if (!has_ended(in, slot) && slot.watch->health() != Health::failed) {
    row.state = slot.watch->health();
    if (row.state != slot.row.state) row.since = slot.watch->ready_since().value_or(now);
    row.reason = row.state == Health::ready ? "" : row.reason;
    return;
  }
  const Try end = ended(in, slot, now);
  Try& current = tries.at(Place::current);
  const Slot& beside = in.tries.at({slot.row.slot});
  current.restarts = end.restarts;
  current.streak = end.streak;
  current.restart_at = end.restart_at;
  current.reason = fmt::format("{}; another instance in its place {}", beside.watch->reason(), end.reason);
  tries.erase(Place::replacement);
}

void Reconciler::settle_current(const Supervised& in, const Slot& slot, Tries& tries, Instant now) {
  Try& row = tries.at(Place::current);
  if (row.ended()) {
    const bool due = row.state == Health::waiting && now >= row.restart_at.value_or(now);
    if (due) row = next_try(in, row, now);
    return;
  }
  if (!has_ended(in, slot) && slot.watch->health() != Health::failed) {
    return settle_health(in, slot, tries, now);
  }
  const Try end = ended(in, slot, now);
  if (auto replacement = tries.find(Place::replacement); replacement != tries.end()) {
    // It is on its way already: it is the next try.
    row = placed(replacement->second, Place::current);
    row.exit = end.exit;
    if (row.state != Health::ready) row.reason = end.reason;
    tries.erase(replacement);
  } else {
    row = end.restart_at && *end.restart_at <= now ? next_try(in, end, now) : end;
  }
}

void Reconciler::settle_health(const Supervised& in, const Slot& slot, Tries& tries, Instant now) {
  Try& row = tries.at(Place::current);
  const Health health = slot.watch->health();
  if (health != row.state) {
    const Instant before = row.since;
    row.since = health == Health::ready     ? slot.watch->ready_since().value_or(now)
                : health == Health::unready ? slot.watch->unready_since().value_or(now)
                                            : now;
    row.restart_at.reset();
    if (health == Health::unready) {
      const Unready unready{.restarts = row.restarts, .streak = row.streak, .ready_for = row.since - before};
      if (auto replace = after_unready(in.group.restart, unready)) {
        row.restart_at = row.since + replace->delay;
        row.streak = replace->streak;
      }
    }
    row.state = health;
    row.reason = slot.watch->reason();
    if (health == Health::ready) tries.erase(Place::replacement);
    return;
  }
  if (health != Health::unready) return;
  auto replacement = tries.find(Place::replacement);
  if (replacement != tries.end() && replacement->second.state == Health::ready) {
    Try leaving = placed(row, Place::leaving);
    leaving.restart_at = now + in.group.drain;
    row = placed(replacement->second, Place::current);
    tries.erase(replacement);
    tries.insert_or_assign(Place::leaving, std::move(leaving));
    return;
  }
  const bool alone = replacement == tries.end() && !tries.contains(Place::leaving);
  const bool due = row.restart_at && now >= *row.restart_at;
  if (!alone || !due || !slot.watch->hopeless()) return;
  Try next = next_try(in, row, now);
  // Two instances may see the same file, and the beats of the one would be taken for the other's.
  if (in.group.gate.kind == Gate::Kind::file) {
    row = std::move(next);
  } else {
    tries.emplace(Place::replacement, placed(std::move(next), Place::replacement));
  }
}

bool Reconciler::has_ended(const Supervised& in, const Slot& slot) const {
  const engine::Instance* instance = seen(in, slot);
  return instance ? instance->state == engine::State::exited : slot.started;
}

/// How the try ended, or that it was given up: what the row says from then on.
Try Reconciler::ended(const Supervised& in, const Slot& slot, Instant now) const {
  const engine::Instance* instance = seen(in, slot);
  const bool given_up = !has_ended(in, slot);
  const Instant began = instance && instance->executed ? *instance->executed : slot.row.made_at;
  Try end = slot.row;
  end.since = now;
  end.exit.reset();
  if (instance) end.exit = instance->exit;
  end.reason = given_up ? slot.watch->reason() : reason_of_end(in.group, slot.row, instance, now);
  const bool ran = !instance || instance->executed;
  // Who never became ready has not lived, however long that took to tell.
  const End how{.exit = end.exit,
                .lost = ran && !end.exit && !given_up,
                .restarts = end.restarts,
                .streak = end.streak,
                .alive = given_up ? std::chrono::nanoseconds(0) : now - began};
  const AfterEnd after = after_end(in.group.restart, how);
  end.state = after.state;
  end.streak = after.streak;
  // Whoever asked for a first try looks at it, and decides.
  if (given_up && end.restarts == 0) end.state = Health::failed;
  end.restart_at.reset();
  if (end.state == Health::waiting) end.restart_at = slot.row.this_boot ? now + after.delay : now;
  return end;
}

Try Reconciler::first_try(const Group& group, int slot, Instant now) {
  Try first{.id = InstanceId{random_id()}, .slot = slot, .since = now, .made_at = now};
  if (group.has_port) first.port = free_port();
  return first;
}

Try Reconciler::next_try(const Supervised& in, const Try& last, Instant now) {
  Try next = last;
  next.id = InstanceId{random_id()};
  next.restarts = last.restarts + 1;
  next.state = Health::starting;
  next.since = next.made_at = now;
  next.restart_at.reset();
  next.this_boot = true;
  if (in.group.has_port) next.port = free_port();
  return next;
}

std::uint16_t Reconciler::free_port() {
  std::vector<std::uint16_t> taken = given_;
  for (const auto& [id, in] : groups_) {
    for (const auto& [at, slot] : in.tries) taken.push_back(slot.row.port);
  }
  given_.push_back(engine_.free_port(taken));
  return given_.back();
}

void Reconciler::put(const char* point, std::vector<Change>& changes, Instant now) {
  if (changes.empty()) return;
  commit(point, [&](store::Transaction& transaction) {
    for (const Change& change : changes) {
      const Group& group = change.in.group;
      for (Place place : {Place::current, Place::replacement, Place::leaving})
        clear_place(transaction, group.id, change.slot, place);
      for (const auto& [place, row] : change.tries) put_try(transaction, group, row);
      record_events(transaction, group, tries_of(change.in, change.slot), change.tries, clock_);
    }
  });
  for (Change& change : changes) take_over(change, now);
}

/// Makes what was committed what we know.
void Reconciler::take_over(Change& change, Instant now) {
  Supervised& in = change.in;
  const Tries before = tries_of(in, change.slot);
  tell(in.group, before, change.tries);
  if (has_other_members(before, change.tries)) in.apply_at = now;
  std::map<InstanceId, Slot> had;
  for (const auto& [place, row] : before)
    had.emplace(row.id, std::move(in.tries.extract(At{change.slot, place}).mapped()));
  for (auto& [place, row] : change.tries) {
    Slot slot;
    if (auto known = had.find(row.id); known != had.end()) {
      slot = std::move(known->second);
      had.erase(known);
    } else {
      slot.watch.emplace(in.group.gate, in.closely, now);
    }
    if (row.ended() || place == Place::leaving) {
      prober_.cancel(row.id);
      slot.watch.reset();
    }
    slot.row = std::move(row);
    in.tries.emplace(At{change.slot, place}, std::move(slot));
  }
  for (const auto& [id, slot] : had) prober_.cancel(id);
}

}  // namespace holdall::supervise
