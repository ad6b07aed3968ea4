#include "release/resolve.h"

#include <fmt/format.h>

#include <algorithm>

#include "release/plan.h"

namespace holdall::release {
namespace {

supervise::Gate gate_of(const app::Service& service) {
  supervise::Gate gate;
  gate.start_timeout = service.start_timeout;
  if (service.ready) {
    const app::Ready& ready = *service.ready;
    gate.kind = !ready.path.empty()      ? supervise::Gate::Kind::http
                : !ready.command.empty() ? supervise::Gate::Kind::command
                : !ready.file.empty()    ? supervise::Gate::Kind::file
                                         : supervise::Gate::Kind::port;
    gate.path = ready.file.empty() ? ready.path : ready.file;
    gate.port = ready.port;
    gate.command = ready.command;
    gate.status_from = ready.status_from;
    gate.status_to = ready.status_to;
    gate.interval = ready.interval;
    if (ready.later_interval) gate.later_interval = *ready.later_interval;
    gate.timeout = ready.timeout;
    if (gate.kind == supervise::Gate::Kind::file) {
      // Looked at more often than it is touched, so that a beat that is missing is missed in time.
      gate.period = ready.later_interval.value_or(gate.period);
      gate.later_interval = gate.period / 3;
      gate.interval = std::min(supervise::Gate().interval, gate.later_interval);
    }
    return gate;
  }
  if (service.healthcheck && !service.healthcheck->command.empty()) {
    const app::Healthcheck& check = *service.healthcheck;
    gate.kind = supervise::Gate::Kind::command;
    gate.command = check.command;
    gate.interval = gate.later_interval = check.interval;
    gate.timeout = check.timeout;
    gate.start_period = check.start_period;
    gate.retries = check.retries;
    return gate;
  }
  gate.kind = service.has_port() ? supervise::Gate::Kind::port : supervise::Gate::Kind::running;
  return gate;
}

supervise::RestartPolicy restart_of(const app::Service& service, bool development) {
  using Kind = supervise::RestartPolicy::Kind;
  supervise::RestartPolicy policy;
  policy.most = service.restart.most;
  policy.delay = service.restart.delay;
  if (service.restart.window.count() > 0) policy.window = service.restart.window;
  switch (service.restart.policy) {
    case app::Restart::no: policy.kind = Kind::no; break;
    case app::Restart::always:
    case app::Restart::unless_stopped: policy.kind = Kind::always; break;
    case app::Restart::on_failure: policy.kind = Kind::on_failure; break;
    case app::Restart::unset: policy.kind = development ? Kind::no : Kind::on_failure; break;
  }
  return policy;
}

engine::Limits limits_of(const app::Limits& limits) {
  engine::Limits resolved{.memory = limits.memory,
                          .swap = limits.swap,
                          .reserved_memory = limits.reserved_memory,
                          .cpu_thousandths = limits.cpu_thousandths,
                          .processes = limits.processes,
                          .ulimits = {},
                          .oom_score_adj = limits.oom_score_adj};
  for (const auto& [name, ulimit] : limits.ulimits)
    resolved.ulimits.push_back({name, ulimit.soft, ulimit.hard});
  return resolved;
}

}  // namespace

std::vector<std::string> unenforced_limits(const engine::Engine& engine, const app::App& app) {
  std::vector<std::string> all;
  for (const std::string& name : app.service_order) {
    for (const std::string& limit : engine.unenforced(limits_of(app.services.at(name).limits)))
      all.push_back(fmt::format("{}: {}", name, limit));
  }
  return all;
}

std::string variable_stem(const std::string& service) {
  std::string stem = service;
  for (char& c : stem) {
    if (c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
    } else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) {
      c = '_';
    }
  }
  return stem;
}

supervise::Group resolve(const app::App& app, const app::Service& service, const Digest& artefact,
                         const ResolveFor& release) {
  supervise::Group group;
  group.id = group_id(app.name, service.name, release.number);
  group.replicas = service.replicas;
  group.has_port = service.has_port();
  group.gate = gate_of(service);
  group.restart = restart_of(service, release.development);
  group.drain = service.drain_timeout;

  engine::Workload& workload = group.workload;
  workload.app = app.name;
  workload.service = service.name;
  workload.artefact = artefact;
  workload.command = service.entrypoint;
  workload.command.insert(workload.command.end(), service.command.begin(), service.command.end());
  workload.working_dir = service.working_dir;
  workload.stop_signal = service.stop_signal;
  workload.stop_grace = std::chrono::ceil<std::chrono::milliseconds>(service.stop_grace);
  workload.environment = service.environment;  // a declared name wins over every one below
  workload.secret_environment = service.secret_environment;
  for (const app::SecretFile& file : service.secrets)
    workload.secret_files.push_back({file.name, file.target, file.mode});
  workload.uid = release.uid;
  workload.limits = limits_of(service.limits);
  auto& environment = workload.environment;
  environment.try_emplace("HOLDALL_ENV", release.environment);
  environment.try_emplace("HOLDALL_RELEASE", version(release.number));
  for (const auto& [other, port] : release.service_ports) {
    if (other == service.name || !app.services.contains(other)) continue;
    environment.try_emplace(variable_stem(other) + "_HOST", "127.0.0.1");
    environment.try_emplace(variable_stem(other) + "_PORT", fmt::format("{}", port));
  }
  return group;
}

namespace {

/// The service's group as one instance beside it that is never started again.
void make_single(supervise::Group& group, const std::string& service, std::string_view word) {
  group.replicas = 1;
  group.has_port = false;
  group.gate = {};
  group.restart = {supervise::RestartPolicy::no, 0};
  group.workload.service = fmt::format("{}.{}", service, word);
  group.workload.environment.try_emplace("HOLDALL_SERVICE", service);
}

}  // namespace

supervise::Group resolve_one_off(const app::App& app, const app::Service& service, const std::string& tag,
                                 const Digest& artefact, const ResolveFor& release) {
  supervise::Group group = resolve(app, service, artefact, release);
  group.id = one_off_group_id(app.name, service.name, tag, release.number);
  make_single(group, service.name, "run");
  return group;
}

supervise::Group resolve_command(const app::App& app, const app::Service& service, std::size_t which,
                                 const Digest& artefact, const ResolveFor& release) {
  supervise::Group group = resolve(app, service, artefact, release);
  group.id = command_group_id(app.name, service.name, which, release.number);
  make_single(group, service.name, "release");
  engine::Workload& workload = group.workload;
  const app::ReleaseCommand& command = service.release_commands.at(which);
  workload.command = command.command;
  if (!command.working_dir.empty()) workload.working_dir = command.working_dir;
  for (const auto& [name, value] : command.environment) {
    workload.environment[name] = value;
    workload.secret_environment.erase(name);
  }
  return group;
}

}  // namespace holdall::release
