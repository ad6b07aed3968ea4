#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "supervise/supervise.h"

namespace holdall::supervise {
namespace {

constexpr std::array<std::string_view, 5> kGateKinds{"running", "port", "http", "command", "file"};
constexpr std::array<std::string_view, 3> kRestartKinds{"no", "always", "on_failure"};
constexpr std::array<std::string_view, 7> kHealths{"starting",  "ready",  "unready", "waiting",
                                                   "completed", "failed", "stopping"};

template <typename Enum, std::size_t N>
Enum parse(const std::array<std::string_view, N>& names, const Json& name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name.string()) return static_cast<Enum>(i);
  }
  throw Error(Error::invalid, fmt::format("no such kind: {}", json_quote(name.string())));
}

template <typename Enum, std::size_t N>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

Json strings(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& text : list) json.add(text);
  return json;
}

std::vector<std::string> strings(const Json& json) {
  std::vector<std::string> list;
  for (const Json& item : json.items()) list.push_back(item.string());
  return list;
}

std::chrono::nanoseconds span(const Json& json, std::string_view name) {
  return std::chrono::nanoseconds(json.at(name).integer());
}

Json to_json(const engine::Workload& workload) {
  Json environment = Json::object(), templates = Json::object(), files = Json::array();
  for (const auto& [name, value] : workload.environment) environment.members().emplace_back(name, value);
  for (const auto& [name, value] : workload.secret_environment) templates.members().emplace_back(name, value);
  for (const engine::SecretFile& file : workload.secret_files)
    files.add(Json::object({{"name", file.name}, {"target", file.target}, {"mode", file.mode}}));
  return Json::object({{"app", workload.app},
                       {"service", workload.service},
                       {"artefact", workload.artefact.value},
                       {"command", strings(workload.command)},
                       {"environment", std::move(environment)},
                       {"secret_environment", std::move(templates)},
                       {"secret_files", std::move(files)},
                       {"uid", workload.uid},
                       {"working_dir", workload.working_dir},
                       {"stop_signal", workload.stop_signal},
                       {"stop_grace_ms", workload.stop_grace.count()},
                       {"limits", engine::to_json(workload.limits)}});
}

engine::Workload parse_workload(const Json& json) {
  engine::Workload workload;
  workload.app = json.at("app").string();
  workload.service = json.at("service").string();
  workload.artefact = Digest{json.at("artefact").string()};
  workload.command = strings(json.at("command"));
  for (const auto& [name, value] : json.at("environment").members())
    workload.environment[name] = value.string();
  for (const auto& [name, value] : json.at("secret_environment").members())
    workload.secret_environment[name] = value.string();
  for (const Json& file : json.at("secret_files").items()) {
    workload.secret_files.push_back(
        {file.at("name").string(), file.at("target").string(), static_cast<int>(file.at("mode").integer())});
  }
  workload.uid = static_cast<std::uint32_t>(json.at("uid").integer());
  workload.working_dir = json.at("working_dir").string();
  workload.stop_signal = static_cast<int>(json.at("stop_signal").integer());
  workload.stop_grace = std::chrono::milliseconds(json.at("stop_grace_ms").integer());
  if (const Json* limits = json.find("limits")) workload.limits = engine::parse_limits(*limits);
  return workload;
}

Json to_json(const Gate& gate) {
  return Json::object({{"kind", name_in(kGateKinds, gate.kind)},
                       {"path", gate.path},
                       {"port", static_cast<int>(gate.port)},
                       {"period_ns", gate.period.count()},
                       {"status_from", gate.status_from},
                       {"status_to", gate.status_to},
                       {"command", strings(gate.command)},
                       {"interval_ns", gate.interval.count()},
                       {"later_interval_ns", gate.later_interval.count()},
                       {"timeout_ns", gate.timeout.count()},
                       {"start_timeout_ns", gate.start_timeout.count()},
                       {"start_period_ns", gate.start_period.count()},
                       {"retries", gate.retries}});
}

Gate parse_gate(const Json& json) {
  Gate gate;
  gate.kind = parse<Gate::Kind>(kGateKinds, json.at("kind"));
  gate.path = json.at("path").string();
  gate.port = static_cast<std::uint16_t>(json.integer_or("port", 0));
  gate.period = std::chrono::nanoseconds(json.integer_or("period_ns", gate.period.count()));
  gate.status_from = static_cast<int>(json.at("status_from").integer());
  gate.status_to = static_cast<int>(json.at("status_to").integer());
  gate.command = strings(json.at("command"));
  gate.interval = span(json, "interval_ns");
  gate.later_interval = span(json, "later_interval_ns");
  gate.timeout = span(json, "timeout_ns");
  gate.start_timeout = span(json, "start_timeout_ns");
  gate.start_period = span(json, "start_period_ns");
  gate.retries = static_cast<int>(json.at("retries").integer());
  return gate;
}

Json to_json(const RestartPolicy& policy) {
  Json json = Json::object({{"kind", name_in(kRestartKinds, policy.kind)},
                            {"most", policy.most},
                            {"window_ns", policy.window.count()}});
  if (policy.delay) json["delay_ns"] = policy.delay->count();
  return json;
}

// What groups of an older Holdall do not say has its default.
RestartPolicy parse_restart(const Json& json) {
  RestartPolicy policy;
  policy.kind = parse<RestartPolicy::Kind>(kRestartKinds, json.at("kind"));
  policy.most = static_cast<int>(json.at("most").integer());
  policy.window = std::chrono::nanoseconds(json.integer_or("window_ns", policy.window.count()));
  if (json.find("delay_ns")) policy.delay = span(json, "delay_ns");
  return policy;
}

}  // namespace

Json to_json(const Group& group) {
  return Json::object({{"id", group.id.value},
                       {"workload", to_json(group.workload)},
                       {"replicas", group.replicas},
                       {"has_port", group.has_port},
                       {"gate", to_json(group.gate)},
                       {"restart", to_json(group.restart)},
                       {"drain_ns", group.drain.count()}});
}

Group parse_group(const Json& json) {
  Group group;
  group.id = GroupId{json.at("id").string()};
  group.workload = parse_workload(json.at("workload"));
  group.replicas = static_cast<int>(json.at("replicas").integer());
  group.has_port = json.at("has_port").boolean();
  group.gate = parse_gate(json.at("gate"));
  group.restart = parse_restart(json.at("restart"));
  group.drain = std::chrono::nanoseconds(json.integer_or("drain_ns", 0));
  return group;
}

std::string_view name(Health health) { return name_in(kHealths, health); }

std::vector<InstanceStatus> Snapshot::of(const GroupId& group) const {
  std::vector<InstanceStatus> found;
  for (const InstanceStatus& instance : instances) {
    if (instance.group == group) found.push_back(instance);
  }
  return found;
}

}  // namespace holdall::supervise
