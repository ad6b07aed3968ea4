// exec and run: programs that somebody attends over the call's own connection, or leaves to themselves.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "api/handlers.h"
#include "api/terminal.h"
#include "base/error.h"
#include "base/id.h"
#include "base/log.h"
#include "wire/wire.h"

namespace holdall::api {
namespace {

using supervise::Health;
using supervise::InstanceStatus;

/// What becomes of a program, for the log: who ran what where.
struct Run {
  std::string app, instance, by;
  std::string program;  ///< its name alone: arguments may hold what is secret

  void log(const char* type, Json fields) const {
    fields["app"] = app;
    fields["instance"] = instance;
    fields["by"] = by;
    fields["program"] = program;
    log::info(type, fmt::format("{} on {}/{}: {}", by, app, instance, program), fields);
  }
};

bool runs(const InstanceStatus& instance) {
  return instance.executed && (instance.health == Health::ready || instance.health == Health::unready ||
                               instance.health == Health::starting);
}

/// The instance that is meant: that of the number, or the first that runs; one that serves before others.
InstanceStatus chosen(const release::AppStatus& status, const wire::ProgramRequest& request) {
  std::vector<InstanceStatus> found;
  for (const InstanceStatus& instance : status.instances) {
    bool meant =
        instance.service == request.service && (request.index == 0 || instance.slot == request.index);
    if (meant && runs(instance)) found.push_back(instance);
  }
  if (found.empty()) {
    throw Error(Error::missing, request.index
                                    ? fmt::format("{}.{} does not run", request.service, request.index)
                                    : fmt::format("no instance of {} runs", request.service));
  }
  return *std::ranges::min_element(found, {}, [](const InstanceStatus& instance) {
    return std::pair(instance.health != Health::ready, instance.slot);
  });
}

/// The process engine gives each service one user, and nobody in it may become another.
void check_user(const std::string& wanted, std::uint32_t uid) {
  std::string user = wanted.substr(0, wanted.find(':'));
  if (wanted.empty() || user == std::to_string(uid)) return;
  throw Error(
      Error::invalid,
      fmt::format("--user {}: on the process engine a program runs as its service's own user{}; leave it out",
                  wanted, uid ? fmt::format(" ({})", uid) : ""));
}

engine::Program program_of(const wire::ProgramRequest& request) {
  return {.argv = request.command, .environment = request.environment, .working_dir = request.working_dir};
}

void check_upgrade(const net::Request& request) {
  if (request.header("Upgrade") == wire::kTerminalProtocol) return;
  throw Error(Error::invalid, fmt::format("this call needs the header Upgrade: {}, or \"detach\": true",
                                          wire::kTerminalProtocol));
}

/// The answer that makes the connection the program's.
net::Response attended(TaskGroup& tasks, Run run, Start start, std::optional<wire::WindowSize> terminal) {
  net::Response response;
  response.status = net::http::kSwitchingProtocols;
  response.headers.emplace_back("Upgrade", wire::kTerminalProtocol);
  response.upgrade = [&tasks, run = std::move(run), start = std::move(start),
                      terminal](net::Upgraded connection) {
    // A std::function wants to copy what it holds, and a connection cannot be copied.
    auto shared = std::make_shared<net::Upgraded>(std::move(connection));
    tasks.start("program beside " + run.instance, [=](const std::stop_token& stop) {
      Instant began = BootClock::now();
      run.log("program.begin", Json::object());
      std::optional<int> code = carry(std::move(*shared), start, terminal, stop);
      auto took = std::chrono::duration_cast<std::chrono::milliseconds>(BootClock::now() - began);
      run.log("program.end", Json::object({{"code", code ? Json(*code) : Json()}, {"ms", took.count()}}));
    });
  };
  return response;
}

/// Of the app, programs that were left to themselves and have ended: their output stays, they go.
void forget_ended(supervise::Supervisor& supervisor, const std::string& app) {
  for (const supervise::Group& group : supervisor.wanted()) {
    if (group.workload.app != app || !release::is_one_off(group.id)) continue;
    auto instances = supervisor.snapshot()->of(group.id);
    bool ended = !instances.empty() && std::ranges::all_of(instances, [](const InstanceStatus& instance) {
      return instance.health == Health::completed || instance.health == Health::failed;
    });
    if (ended) supervisor.unwant(group.id);
  }
}

}  // namespace

net::Response Handlers::exec(net::Request& request) {
  const std::string& app = request.parameters.at(0);
  wire::ProgramRequest wanted = wire::parse_program_request(request.json());
  if (wanted.command.empty()) throw Error(Error::invalid, "which program? there is no command");
  parts_.releases.check_services(app, {wanted.service});
  release::AppStatus status = parts_.releases.status(app);
  InstanceStatus instance = chosen(status, wanted);
  check_user(wanted.user, parts_.releases.one_off(app, wanted.service, "").group.workload.uid);
  Run run{app, fmt::format("{}.{}", instance.service, instance.slot), request.user, wanted.command.front()};
  if (wanted.detach) {
    run.log("program.leave", Json::object());
    parts_.engine.leave(instance.id, program_of(wanted));
    return net::json_response(Json::object({{"instance", run.instance}}));
  }
  check_upgrade(request);
  Start start = [this, id = instance.id, program = program_of(wanted)](const engine::Stdio& stdio) {
    return parts_.engine.attend(id, program, stdio);
  };
  return attended(streams_, std::move(run), std::move(start), wanted.terminal);
}

net::Response Handlers::run(net::Request& request) {
  constexpr std::size_t kTag = 8;
  const std::string& app = request.parameters.at(0);
  wire::ProgramRequest wanted = wire::parse_program_request(request.json());
  const std::string tag = random_id().substr(0, kTag);
  release::OneOff copy = parts_.releases.one_off(app, wanted.service, tag);
  engine::Workload& workload = copy.group.workload;
  check_user(wanted.user, workload.uid);

  // As Compose: what is typed takes the command's place, and the entrypoint stays.
  if (wanted.entrypoint || !wanted.command.empty()) {
    workload.command = wanted.entrypoint.value_or(copy.entrypoint);
    workload.command.insert(workload.command.end(), wanted.command.begin(), wanted.command.end());
  }
  if (workload.command.empty()) throw Error(Error::invalid, "which program? there is no command");
  wanted.command = workload.command;
  Run run{app, fmt::format("{}.{}", workload.service, tag), request.user, wanted.command.front()};
  wanted.environment.try_emplace("HOLDALL_INSTANCE", run.instance);
  if (wanted.detach) {
    run.log("program.leave", Json::object());
    for (const auto& [name, value] : wanted.environment) {
      workload.environment[name] = value;
      workload.secret_environment.erase(name);
    }
    if (!wanted.working_dir.empty()) workload.working_dir = wanted.working_dir;
    forget_ended(parts_.supervisor, app);
    parts_.supervisor.want(copy.group);
    return net::json_response(Json::object({{"instance", run.instance}}));
  }
  check_upgrade(request);
  engine::Copy place{.id = InstanceId{random_id()}, .group = copy.group.id};
  if (copy.has_port) {
    std::vector<std::uint16_t> taken;
    auto snapshot = parts_.supervisor.snapshot();
    for (const InstanceStatus& instance : snapshot->instances) taken.push_back(instance.address.port);
    place.port = parts_.engine.free_port(taken);
  }
  Start start = [this, place, workload, program = program_of(wanted)](const engine::Stdio& stdio) {
    return parts_.engine.once(place, workload, program, stdio);
  };
  return attended(streams_, std::move(run), std::move(start), wanted.terminal);
}

}  // namespace holdall::api
