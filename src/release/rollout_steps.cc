#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/guarded.h"
#include "base/tasks.h"
#include "release/plan.h"
#include "release/report.h"
#include "release/resolve.h"
#include "release/rollout.h"

namespace holdall::release {
namespace {

using supervise::Health;
using supervise::InstanceStatus;

// The router answers from memory. A release does not wait longer for figures than this.
constexpr auto kCountersTimeout = std::chrono::milliseconds(500);

bool holds(const app::Dependency& dependency, const std::vector<InstanceStatus>& instances, int replicas) {
  if (std::ssize(instances) != replicas) return false;
  switch (dependency.condition) {
    case app::DependsOn::started:
      return std::ranges::all_of(instances,
                                 [](const InstanceStatus& one) { return one.executed.has_value(); });
    case app::DependsOn::healthy: return settled(instances, replicas);
    case app::DependsOn::completed:
      return std::ranges::all_of(instances,
                                 [](const InstanceStatus& one) { return one.health == Health::completed; });
  }
  return false;
}

}  // namespace

void Rollout::do_step() {
  switch (row_.release.step) {
    case Step::planned:
      if (row_.request.release_commands && !commands_of(app_).empty()) {
        move_to(row_in(row_, Step::command, context_.clock));
        return;
      }
      // The sockets of the new release are bound now: an address that is in use must not wait for the switch.
      move_and_publish(row_in(row_, Step::start, context_.clock), "publish");
      return;
    case Step::command: return run_commands();
    case Step::start: return start();
    case Step::switching: return switch_over();
    case Step::drain: return drain();
    case Step::watch: return watch();
    case Step::stop_old: return stop_old();
    case Step::revert: return revert();
    case Step::live:
    case Step::failed: return;
  }
}

/// How many instances of the service were there before, and stay where its group is kept.
int Rollout::kept_replicas(const std::string& service) const {
  const auto grown = grown_.find(service);
  return grown == grown_.end() ? 0 : grown->second;
}

/// The instances that this release starts.
std::vector<InstanceStatus> Rollout::fresh_of(const std::string& service,
                                              const supervise::Snapshot& snapshot) const {
  auto instances = snapshot.of(row_.groups.at(service));
  const int kept = kept_replicas(service);
  std::erase_if(instances, [&](const InstanceStatus& one) { return one.slot <= kept; });
  return instances;
}

std::optional<Fault> Rollout::fault_in(const supervise::Snapshot& snapshot) {
  for (const std::string& service : fresh_) {
    const auto instances = fresh_of(service, snapshot);
    for (const InstanceStatus& one : instances) first_tries_.try_emplace({one.group, one.slot}, one.id);
    auto fault = find_fault(instances);
    if (!fault) continue;
    // The supervisor may have started the slot again by now; it was the first try that failed, and said why.
    fault->instance.id = first_tries_.at({fault->instance.group, fault->instance.slot});
    return fault;
  }
  return std::nullopt;
}

bool Rollout::all_settled(const supervise::Snapshot& snapshot) const {
  return std::ranges::all_of(fresh_, [&](const std::string& service) {
    return settled(fresh_of(service, snapshot), app_.services.at(service).replicas - kept_replicas(service));
  });
}

void Rollout::start() {
  context_.publisher.update({}, nullptr);
  if (const auto unbound = context_.publisher.unbound(name_); !unbound.empty()) {
    return begin_revert(unbound.front().problem, nullptr);
  }
  wanted_.clear();
  while (!stop_.stop_requested()) {
    const std::size_t wanted_before = wanted_.size();
    want_what_may_start(*context_.supervisor.snapshot());
    const auto snapshot = context_.supervisor.snapshot();
    tell_ready(*snapshot);
    if (const auto fault = fault_in(*snapshot)) return begin_revert(fault->reason, &fault->instance);
    if (all_settled(*snapshot)) break;
    if (wanted_.size() != wanted_before) continue;
    commit_untold();
    if (overtaken()) return;
    pause(*snapshot);
  }
  if (stop_.stop_requested()) return;
  Row next = row_in(row_, Step::switching, context_.clock);
  set_switching(next.release.report, context_.router.counters(Deadline::after(kCountersTimeout)));
  move_and_publish(next, "publish", [&](store::Transaction& t) { set_serving(t, name_, number_); });
}

void Rollout::want_what_may_start(const supervise::Snapshot& snapshot) {
  for (const std::string& service : fresh_) {
    if (wanted_.contains(service) || !may_start(app_.services.at(service), snapshot)) continue;
    const GroupId group = row_.groups.at(service);
    const int replicas = app_.services.at(service).replicas;
    if (grown_.contains(service)) {
      context_.act("start.grow", [&] {
        context_.supervisor.watch_closely(group, true);
        context_.supervisor.resize(group, replicas);
      });
    } else {
      const supervise::Group resolved =
          resolve(app_, app_.services.at(service), row_.request.artefacts.at(service), resolve_for(service));
      context_.act("start.want", [&] { context_.supervisor.want(resolved); });
    }
    wanted_.insert(service);
    if (!told_.insert(service).second) continue;
    tell("start", Json::object({{"service", service}, {"group", group.value}, {"replicas", replicas}}));
  }
}

ResolveFor Rollout::resolve_for(const std::string& service) const {
  ResolveFor release{number_, row_.request.environment, row_.request.development, {}};
  context_.database.read([&](store::Transaction& t) {
    release.service_ports = service_ports(t, name_);
    if (context_.options.uids) release.uid = service_uids(t, name_).at(service);
  });
  return release;
}

bool Rollout::may_start(const app::Service& service, const supervise::Snapshot& snapshot) const {
  for (const auto& [name, dependency] : service.depends_on) {
    const auto group = row_.groups.find(name);
    if (group == row_.groups.end()) continue;  // not required, and not there
    auto instances = snapshot.of(group->second);
    int replicas = app_.services.at(name).replicas;
    // Of a kept group that grows or shrinks: those that stay.
    if (const auto grown = grown_.find(name); grown != grown_.end()) replicas = grown->second;
    std::erase_if(instances, [&](const InstanceStatus& one) { return one.slot > replicas; });
    if (holds(dependency, instances, replicas)) continue;
    // A new service that never gets there fails the release itself; a kept one would let it wait for ever.
    const bool kept = release_of(group->second) != number_;
    if (kept && context_.clock.now() > row_.step_since + service.start_timeout) {
      const auto fault = find_fault(instances);
      throw Error(Error::failed, fmt::format("{} waits for {}, which was kept as it is: {}", service.name,
                                             name, fault ? fault->reason : "it is not ready"));
    }
    return false;
  }
  return true;
}

void Rollout::tell_ready(const supervise::Snapshot& snapshot) {
  for (const std::string& service : fresh_) {
    for (const InstanceStatus& one : fresh_of(service, snapshot)) {
      if (one.health != Health::ready && one.health != Health::completed) continue;
      if (!told_.insert(one.id.value).second) continue;
      add_instance(row_.release.report, one);
      tell("ready", instance_entry(one));
    }
  }
}

void Rollout::switch_over() {
  context_.publisher.update({}, nullptr);
  const Instant live = context_.clock.now();
  Row next = row_in(row_, Step::drain, context_.clock);
  set_live(next.release.report, live, publish_took_);
  const Json& report = next.release.report;
  tell("switch", Json::object({{"from", version(row_.replaces)},
                               {"to", version(number_)},
                               {"took_ms", report.at("switch_ms")}}));
  Json data = Json::object();
  for (const char* figure : {"overhead_ms", "start_ms"}) {
    if (const Json* value = report.find(figure)) data[figure] = *value;
  }
  Json all = Json::array();
  for (std::string& url : urls({app_, row_.request.development, {}, {}}, context_.options.http))
    all.add(std::move(url));
  data["urls"] = std::move(all);
  tell("live", std::move(data));
  move_to(next);
}

/// Looks on until `done` or `at_most`, and goes back at the first fault of a new instance. False if the
/// release is in another step by then, or the process is to stop.
bool Rollout::stands_until(const std::function<bool(const supervise::Snapshot&)>& done, Instant at_most) {
  while (!stop_.stop_requested()) {
    const auto snapshot = context_.supervisor.snapshot();
    if (const auto fault = fault_in(*snapshot)) {
      begin_revert(fault->reason, &fault->instance);
      return false;
    }
    if (done(*snapshot)) return !stop_.stop_requested();
    pause(*snapshot, context_.clock.now() < at_most ? at_most : Instant::max());
  }
  return false;
}

void Rollout::drain() {
  const Instant began = context_.clock.now();
  const auto snapshot = context_.supervisor.snapshot();
  auto targets = targets_of(replaced_, *snapshot);
  for (InstanceId& id : above(shrunk_, *snapshot)) targets.push_back(std::move(id));
  const auto most = old_app_ ? drain_timeout(*old_app_) : std::chrono::nanoseconds(0);
  const Instant until = switched_at(row_.release.report).value_or(began) + most;
  Guarded<std::optional<router::Router::Drained>> answer;

  // The router's answer is waited for beside the new instances: one of them that fails must not wait for a
  // drain. Going back publishes a table that has the targets again, which ends the router's drain of them.
  TaskGroup beside;
  beside.start("release.drain", [&](const std::stop_token&) {
    const auto drained = context_.drain("drain", targets, until - context_.clock.now(), stop_);
    *answer.lock() = drained;
  });
  if (!stands_until([&](const auto&) { return answer.lock()->has_value(); }, Instant::max())) return;
  const router::Router::Drained drained = **answer.lock();
  Row next = row_in(row_, Step::watch, context_.clock);
  set_drain(next.release.report, drained, context_.clock.now() - began);
  if (!targets.empty()) {
    tell("drain", Json::object({{"complete", drained.complete},
                                {"finished", drained.finished},
                                {"cut", drained.cut},
                                {"took_ms", in_ms(context_.clock.now() - began)}}));
  }
  const auto left = switched_at(row_.release.report).value_or(began) + monitor() - context_.clock.now();
  if (left.count() > 0) tell("watch", Json::object({{"for_ms", in_ms(left)}}));
  move_to(next);
}

/// How long after the switch the new instances are on probation: the longest that a new service asks for.
std::chrono::nanoseconds Rollout::monitor() const {
  std::chrono::nanoseconds longest{0};
  if (row_.request.development) return longest;
  for (const std::string& service : fresh_)
    longest = std::max(longest, app_.services.at(service).update.monitor);
  return longest;
}

void Rollout::watch() {
  const std::optional<Instant> switched = switched_at(row_.release.report);
  if (!switched) {
    // Nobody saw them through the reboot. What is ready now has passed its gate a second time; else the old
    // comes back.
    if (!all_settled(*context_.supervisor.snapshot())) {
      return begin_revert("the machine restarted during the watch", nullptr);
    }
  } else {
    const Instant until = *switched + monitor();
    // They may have failed while no control looked, or one that got no time to: each has to pass a last
    // probe.
    bool looked = false;
    const auto stood = [&](const supervise::Snapshot& snapshot) {
      if (context_.clock.now() < until) return false;
      if (looked) return all_settled(snapshot);
      looked = true;
      for (const std::string& service : fresh_) context_.supervisor.look_again(row_.groups.at(service));
      return all_settled(*context_.supervisor.snapshot());
    };
    if (!stands_until(stood, until)) return;
  }
  if (!replaced_.empty() || !shrunk_.empty()) {
    Json services = Json::array();
    for (const GroupId& group : replaced_) {
      const std::size_t slash = group.value.find('/') + 1;
      services.add(Json::object({{"service", group.value.substr(slash, group.value.rfind('@') - slash)},
                                 {"release", version(release_of(group))}}));
    }
    for (const auto& [service, replicas] : shrunk_) {
      services.add(Json::object({{"service", service},
                                 {"release", version(release_of(row_.groups.at(service)))},
                                 {"down_to", replicas}}));
    }
    tell("stop", Json::object({{"services", std::move(services)}}));
  }
  move_to(row_in(row_, Step::stop_old, context_.clock));
}

void Rollout::stop_old() {
  for (const std::string& service : fresh_) {
    context_.act("loosely", [&] { context_.supervisor.watch_closely(row_.groups.at(service), false); });
  }
  for (const GroupId& group : replaced_) {
    context_.act("stop", [&] { context_.supervisor.unwant(group); });
  }
  if (!shrink("stop.shrink", shrunk_) || !context_.wait_gone(replaced_, stop_)) return;
  forget_unneeded();
  Row next = row_in(row_, Step::live, context_.clock);
  set_requests(next.release.report, name_, context_.router.counters(Deadline::after(kCountersTimeout)));
  tell("done", Json::object({{"report", public_report(next.release.report)}}));
  move_to(next);
}

/// The instances of kept groups beyond these numbers.
std::vector<InstanceId> Rollout::above(const std::map<std::string, int>& most,
                                       const supervise::Snapshot& snapshot) const {
  std::vector<InstanceId> ids;
  for (const auto& [service, replicas] : most) {
    for (const InstanceStatus& one : snapshot.of(row_.groups.at(service))) {
      if (one.slot > replicas) ids.push_back(one.id);
    }
  }
  return ids;
}

/// Stops what kept groups have beyond these numbers, and waits until it has gone. False if the process is to
/// stop.
bool Rollout::shrink(const char* point, const std::map<std::string, int>& to) {
  for (const supervise::Group& group : context_.supervisor.wanted()) {
    const auto one = to.find(group.workload.service);
    if (one == to.end() || row_.groups.at(one->first) != group.id || group.replicas <= one->second) continue;
    context_.act(point, [&] { context_.supervisor.resize(group.id, one->second); });
  }
  for (;;) {
    const auto snapshot = context_.supervisor.snapshot();
    if (above(to, *snapshot).empty()) return true;
    if (stop_.stop_requested()) return false;
    pause(*snapshot);
  }
}

void Rollout::begin_revert(const std::string& reason, const supervise::InstanceStatus* cause) {
  Row next = row_in(row_, Step::revert, context_.clock);
  next.release.reason = reason;
  if (cause) set_culprit(next.release.report, *cause);
  tell("revert", Json::object({{"reason", reason},
                               {"switched", has_switched(row_.release.report)},
                               {"to", version(row_.replaces)}}));
  move_and_publish(next, "revert.publish", [&](store::Transaction& t) {
    const std::optional<AppRow> app = find_app(t, name_);
    if (app && app->serving == number_) set_serving(t, name_, row_.replaces);
  });
}

void Rollout::revert() {
  context_.publisher.update({}, nullptr);
  std::vector<GroupId> groups;
  for (const std::string& service : fresh_) {
    if (!grown_.contains(service)) groups.push_back(row_.groups.at(service));
  }
  if (has_switched(row_.release.report)) {
    const auto snapshot = context_.supervisor.snapshot();
    auto targets = targets_of(groups, *snapshot);
    for (InstanceId& id : above(grown_, *snapshot)) targets.push_back(std::move(id));
    context_.drain("revert.drain", targets, drain_timeout(app_), stop_);
    if (stop_.stop_requested()) return;
  }
  for (GroupId& command : command_group_ids()) groups.push_back(std::move(command));
  for (const GroupId& group : groups) {
    context_.act("revert.stop", [&] { context_.supervisor.unwant(group); });
  }
  for (const auto& [service, before] : grown_) {
    context_.act("revert.loosely",
                 [&] { context_.supervisor.watch_closely(row_.groups.at(service), false); });
  }
  if (!shrink("revert.shrink", grown_) || !context_.wait_gone(groups, stop_)) return;
  forget_unneeded();

  Row next = row_in(row_, Step::failed, context_.clock);
  Json data = Json::object({{"reason", row_.release.reason},
                            {"kept", version(row_.replaces)},
                            {"start_ms", phase_ms(row_.release.report, "start")}});
  if (const Json* cause = culprit(row_.release.report)) {
    for (const auto& [key, value] : cause->members()) data[key] = value;
    Json lines = Json::array();
    if (context_.options.last_lines) {
      InstanceStatus instance;
      instance.id = {cause->at("instance").string()};
      instance.app = name_;
      instance.service = cause->at("service").string();
      instance.slot = static_cast<int>(cause->at("slot").integer());
      for (std::string& line : context_.options.last_lines(instance)) lines.add(std::move(line));
    }
    data["lines"] = std::move(lines);
  }
  if (has_switched(row_.release.report)) {
    set_requests(next.release.report, name_, context_.router.counters(Deadline::after(kCountersTimeout)));
  }
  tell("failed", std::move(data));
  move_to(next);
}

}  // namespace holdall::release
