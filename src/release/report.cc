#include "release/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace holdall::release {
namespace {

using PerRelease = router::Counters::PerRelease;

std::int64_t count(Instant instant) { return instant.time_since_epoch().count(); }

Instant instant(const Json& marks, std::string_view name) {
  return Instant(std::chrono::nanoseconds(marks.at(name).integer()));
}

Json to_json(const PerRelease& one) {
  Json failed = Json::object();
  for (const auto& [cause, n] : one.failed) failed[cause] = n;
  return Json::object({{"served", one.served},
                       {"app_5xx", one.app_5xx},
                       {"failed", failed},
                       {"cut", one.cut},
                       {"left", one.left},
                       {"maintenance", one.maintenance}});
}

Json to_json(const router::Counters::Releases& releases) {
  Json out = Json::object();
  for (const auto& [release, one] : releases) out[release] = to_json(one);
  return out;
}

/// `now` less what `before` (as `to_json` wrote it) had already.
PerRelease since(PerRelease now, const Json& before) {
  const auto had = [](const Json& counts, std::string_view name) {
    return static_cast<std::uint64_t>(counts.integer_or(name, 0));
  };
  now.served -= had(before, "served");
  now.app_5xx -= had(before, "app_5xx");
  now.cut -= had(before, "cut");
  now.left -= had(before, "left");
  now.maintenance -= had(before, "maintenance");
  for (auto& [cause, n] : now.failed) n -= had(before.at("failed"), cause);
  std::erase_if(now.failed, [](const auto& cause) { return cause.second == 0; });
  return now;
}

void add(router::Counters::Releases& sum, const router::Counters::Releases& now, const Json* before) {
  for (const auto& [release, total] : now) {
    const Json* had = before ? before->find(release) : nullptr;
    const PerRelease one = had ? since(total, *had) : total;
    PerRelease& to = sum[release];
    to.served += one.served;
    to.app_5xx += one.app_5xx;
    to.cut += one.cut;
    to.left += one.left;
    to.maintenance += one.maintenance;
    for (const auto& [cause, n] : one.failed) to.failed[cause] += n;
  }
}

/// What all routers have counted since the one of `epoch` served and `before` (by epoch) was counted. Nothing
/// if one of them is not known any more: it was not replaced, but died.
std::optional<router::Counters::Releases> since(const router::Counters& now, const std::string& epoch,
                                                const Json& before) {
  router::Counters::Releases sum;
  std::size_t found = 0;
  bool later = false;  // than the router that served then
  const auto take = [&](const std::string& name, const router::Counters::Releases& releases) {
    const Json* had = before.find(name);
    if (had || later) add(sum, releases, had);
    if (had) ++found;
    later |= name == epoch;
  };
  for (const auto& router : now.earlier) take(router.epoch, router.releases);
  take(now.epoch, now.releases);
  if (found < before.members().size()) return std::nullopt;
  return sum;
}

bool all_zero(const PerRelease& one) {
  return one.served == 0 && one.cut == 0 && one.left == 0 && one.maintenance == 0 && one.failed.empty();
}

/// From the program's execution to the first connection it accepted: the app's own start.
std::optional<std::chrono::nanoseconds> own_start(const supervise::InstanceStatus& instance) {
  if (!instance.executed || !instance.accepted) return std::nullopt;
  return *instance.accepted - *instance.executed;
}

}  // namespace

Json in_ms(std::chrono::nanoseconds span) {
  return Json(std::round(static_cast<double>(span.count()) / 1e3) / 1e3);
}

Json new_report(Instant accepted) {
  return Json::object({{"phases", Json::array()},
                       {"instances", Json::array()},
                       {"marks", Json::object({{"boot", boot_id()}, {"accepted", count(accepted)}})}});
}

Json public_report(Json report) {
  report.erase("marks");
  return report;
}

Row row_in(const Row& row, Step next, const Clock& clock) {
  Row after = row;
  const Instant now = clock.now();
  if (row.boot == boot_id()) {
    after.release.report["phases"].add(
        Json::object({{"name", name(row.release.step)}, {"ms", in_ms(now - row.step_since)}}));
  }
  after.release.step = next;
  after.boot = boot_id();
  after.step_since = now;
  if (is_final(next)) after.release.finished = clock.wall();
  return after;
}

Json phase_ms(const Json& report, std::string_view phase) {
  for (const Json& ended : report.at("phases").items()) {
    if (ended.at("name").string() == phase) return ended.at("ms");
  }
  return {};
}

Json instance_entry(const supervise::InstanceStatus& instance) {
  Json entry = Json::object({{"name", fmt::format("{}.{}", instance.service, instance.slot)},
                             {"service", instance.service},
                             {"slot", instance.slot},
                             {"instance", instance.id.value}});
  const auto accepted = own_start(instance);
  entry["accept_ms"] = accepted ? in_ms(*accepted) : Json();
  entry["ready_ms"] =
      instance.executed && instance.ready_since ? in_ms(*instance.ready_since - *instance.executed) : Json();
  if (instance.health == supervise::Health::completed) entry["completed"] = true;
  return entry;
}

void add_instance(Json& report, const supervise::InstanceStatus& instance) {
  report["instances"].add(instance_entry(instance));
  Json& marks = report["marks"];
  if (const auto start = own_start(instance)) {
    marks["slowest_start"] = std::max(marks.integer_or("slowest_start", 0), std::int64_t{start->count()});
  }
  if (instance.ready_since) {
    marks["last_ready"] = std::max(marks.integer_or("last_ready", 0), count(*instance.ready_since));
  }
}

void set_live(Json& report, Instant live, std::chrono::nanoseconds publish) {
  const Json marks = report.at("marks");
  report["switch_ms"] = in_ms(publish);
  if (marks.at("boot").string() == boot_id()) {
    const Instant accepted = instant(marks, "accepted");
    const std::chrono::nanoseconds app_start(marks.integer_or("slowest_start", 0));
    report["overhead_ms"] = in_ms(live - accepted - app_start);
    if (marks.find("last_ready")) report["start_ms"] = in_ms(instant(marks, "last_ready") - accepted);
  }
  report["marks"]["switched"] = count(live);
  report["marks"]["switched_boot"] = boot_id();
}

void set_switching(Json& report, const std::optional<router::Counters>& before) {
  Json& marks = report["marks"];
  marks["switching"] = true;
  if (!before) return;
  marks["epoch"] = before->epoch;
  Json epochs = Json::object({{before->epoch, to_json(before->releases)}});
  for (const auto& router : before->earlier) {
    if (!router.ended) epochs[router.epoch] = to_json(router.releases);
  }
  marks["counters"] = epochs;
}

bool has_switched(const Json& report) { return report.at("marks").find("switching") != nullptr; }

std::optional<Instant> switched_at(const Json& report) {
  const Json& marks = report.at("marks");
  if (!marks.find("switched") || marks.at("switched_boot").string() != boot_id()) return std::nullopt;
  return instant(marks, "switched");
}

void set_drain(Json& report, const router::Router::Drained& drained, std::chrono::nanoseconds span) {
  report["drain"] = Json::object({{"complete", drained.complete},
                                  {"finished", drained.finished},
                                  {"cut", drained.cut},
                                  {"ms", in_ms(span)}});
}

void set_requests(Json& report, const std::string& app, const std::optional<router::Counters>& now) {
  const Json& marks = report.at("marks");
  const Json* before = marks.find("counters");
  if (!now || !before) {
    report["requests"] = Json::object({{"unknown", "the router did not answer"}});
    return;
  }
  const std::optional<router::Counters::Releases> counted =
      since(*now, marks.string_or("epoch", ""), *before);
  if (!counted) {
    report["requests"] =
        Json::object({{"unknown", fmt::format("router restarted at {}", rfc3339(now->started))}});
    return;
  }
  Json releases = Json::object();
  std::uint64_t served = 0, failed = 0, cut = 0, maintenance = 0;
  for (const auto& [release, one] : *counted) {
    if (!release.starts_with(app + "/")) continue;
    if (all_zero(one)) continue;
    served += one.served;
    cut += one.cut;
    maintenance += one.maintenance;
    for (const auto& [cause, n] : one.failed) failed += n;
    releases[release] = to_json(one);
  }
  report["requests"] = Json::object({{"releases", releases},
                                     {"served", served},
                                     {"failed", failed},
                                     {"cut", cut},
                                     {"maintenance", maintenance}});
}

void set_culprit(Json& report, const supervise::InstanceStatus& instance) {
  report["marks"]["culprit"] = Json::object({{"service", instance.service},
                                             {"slot", instance.slot},
                                             {"name", fmt::format("{}.{}", instance.service, instance.slot)},
                                             {"instance", instance.id.value}});
}

const Json* culprit(const Json& report) { return report.at("marks").find("culprit"); }

}  // namespace holdall::release
