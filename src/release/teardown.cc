#include "release/teardown.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "release/plan.h"
#include "release/report.h"
#include "release/rows.h"

namespace holdall::release {
namespace {

// Somebody waits for the end of the app, who knows that its requests end with it.
constexpr std::chrono::nanoseconds kLongestDrain = std::chrono::seconds(5);

constexpr auto kRetryPause = std::chrono::milliseconds(500);

/// Everything of the app that is wanted or still there, in the order of stopping: what others depend on comes
/// last.
std::vector<std::vector<GroupId>> levels(const Context& context, const std::string& name,
                                         const app::App& app) {
  std::map<std::string, int> depth;
  for (const std::string& service : start_order(app)) {
    int& own = depth[service];
    for (const auto& [other, dependency] : app.services.at(service).depends_on) {
      if (const auto found = depth.find(other); found != depth.end()) own = std::max(own, found->second + 1);
    }
  }
  std::map<int, std::set<GroupId>, std::greater<>> by_depth;
  const auto add = [&](const GroupId& group, const std::string& service) {
    const auto found = depth.find(service);
    by_depth[found == depth.end() ? 0 : found->second].insert(group);
  };
  for (const supervise::Group& group : context.supervisor.wanted()) {
    if (group.workload.app == name) add(group.id, group.workload.service);
  }
  const auto snapshot = context.supervisor.snapshot();
  for (const supervise::InstanceStatus& instance : snapshot->instances) {
    if (instance.app == name) add(instance.group, instance.service);
  }
  std::vector<std::vector<GroupId>> ordered;
  for (const auto& [level, groups] : by_depth) ordered.emplace_back(groups.begin(), groups.end());
  return ordered;
}

/// The release that served did so for nothing: it counts as one that failed, and can be no rollback's aim.
void withdraw(store::Transaction& t, const AppRow& app, const Clock& clock) {
  const Row serving = *find_row(t, app.name, *app.serving);
  Row next = row_in(serving, Step::failed, clock);
  update_step(t, next, serving.release.step);
  set_withdrawn(t, app.name);
}

void tear_down_once(const Context& context, const std::string& name, const std::stop_token& stop) {
  app::App app;
  context.database.read([&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, name);
    if (!row || !row->serving) return;
    app = app::parse_model(find_row(t, name, *row->serving)->request.model);
  });
  context.publisher.update({.publish = "release.destroy.publish"}, nullptr);
  std::vector<InstanceId> targets;
  const auto snapshot = context.supervisor.snapshot();
  for (const supervise::InstanceStatus& instance : snapshot->instances) {
    if (instance.app == name) targets.push_back(instance.id);
  }
  context.drain("destroy.drain", targets, std::min(drain_timeout(app), kLongestDrain), stop);
  for (const std::vector<GroupId>& level : levels(context, name, app)) {
    if (stop.stop_requested()) return;
    for (const GroupId& group : level) {
      context.act("destroy.stop", [&] { context.supervisor.unwant(group); });
    }
    if (!context.wait_gone(level, stop)) return;
  }
  context.commit("destroyed", [&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, name);
    if (row && row->withdrawing) {
      withdraw(t, *row, context.clock);
    } else {
      delete_app(t, name);
    }
  });
}

}  // namespace

void tear_down(const Context& context, const std::string& app, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    try {
      return tear_down_once(context, app, stop);
    } catch (const std::exception& error) {
      // There is nothing to go back to: it is tried until it comes out well.
      log::error("release.destroy", fmt::format("while destroying {}: {}", app, error.what()));
      std::this_thread::sleep_for(kRetryPause);
    }
  }
}

}  // namespace holdall::release
