#include "supervise/events.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace holdall::supervise {
namespace {

constexpr std::int64_t kKept = 10'000;

using Tries = std::map<Place, Try>;

const Try* find(const Tries& tries, const InstanceId& id) {
  auto found = std::ranges::find_if(tries, [&](const auto& each) { return each.second.id == id; });
  return found == tries.end() ? nullptr : &found->second;
}

struct Ending {
  std::string_view action;
  std::string reason;
};

/// What became of a try that had not ended and has no row any more: it was stopped, or it ended and what
/// follows is there already, which bears its reason.
Ending ending(const Try& gone, const Tries& after) {
  auto current = after.find(Place::current);
  if (current == after.end() || gone.place == Place::leaving) return {"stop", ""};
  const Try& next = current->second;
  if (gone.place == Place::replacement && next.state == Health::ready) return {"stop", ""};
  return {"exit", next.reason.empty() ? gone.reason : next.reason};
}

}  // namespace

void record_events(store::Transaction& transaction, const Group& group, const Tries& before,
                   const Tries& after, const Clock& clock) {
  const std::int64_t now = nanoseconds(clock.wall());
  bool any = false;
  const auto add = [&](const Try& row, std::string_view action, const std::string& reason) {
    any = true;
    transaction.execute(
        "insert into instance_events (app_id, at, group_id, service, slot, instance, action, reason) "
        "values (?, ?, ?, ?, ?, ?, ?, ?)",
        {group.workload.app, now, group.id.value, group.workload.service, std::int64_t{row.slot},
         row.id.value, std::string(action), reason});
  };
  for (const auto& [place, was] : before) {
    if (was.ended()) continue;
    const Try* is = find(after, was.id);
    if (!is) {
      const Ending end = ending(was, after);
      add(was, end.action, end.reason);
    } else if (is->ended()) {
      add(*is, "exit", is->reason);
    } else if (is->state != was.state) {
      add(*is, name(is->state), is->reason);
    }
  }
  for (const auto& [place, is] : after) {
    if (!find(before, is.id)) add(is, "start", "");
  }
  if (!any) return;
  transaction.execute(
      "delete from instance_events where sequence <= (select max(sequence) from instance_events) - ?",
      {kKept});
}

std::vector<InstanceEvent> instance_events(store::Transaction& transaction, const std::string& app,
                                           std::int64_t after) {
  std::vector<InstanceEvent> events;
  transaction.query(
      "select sequence, at, group_id, service, slot, instance, action, reason from instance_events "
      "where app_id = ? and sequence > ? order by sequence",
      {app, after}, [&](const store::Row& row) {
        events.push_back({.sequence = row.integer(0),
                          .at = wall_time(row.integer(1)),
                          .group = {row.text(2)},
                          .service = row.text(3),
                          .slot = static_cast<int>(row.integer(4)),
                          .instance = {row.text(5)},
                          .action = row.text(6),
                          .reason = row.text(7)});
      });
  return events;
}

}  // namespace holdall::supervise
