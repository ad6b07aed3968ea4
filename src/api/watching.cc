// top and stats: what an app's instances do now.

#include <fmt/format.h>

#include <functional>

#include "api/handlers.h"
#include "base/error.h"
#include "wire/wire.h"

namespace holdall::api {
namespace {

template <typename Unit>
std::int64_t count(std::chrono::nanoseconds span) {
  return std::chrono::duration_cast<Unit>(span).count();
}

/// Those of the app that run. What ends while it is asked for is left out.
Json each_running(const Parts& parts, const std::string& app,
                  const std::function<void(const InstanceId&, Json&)>& look) {
  Json all = Json::array();
  for (const supervise::InstanceStatus& instance : parts.releases.status(app).instances) {
    Json shown =
        Json::object({{"id", instance.id.value}, {"service", instance.service}, {"slot", instance.slot}});
    try {
      look(instance.id, shown);
      all.add(shown);
    } catch (const Error& error) {
      if (error.kind() != Error::missing) throw;
    }
  }
  return all;
}

}  // namespace

net::Response Handlers::processes(net::Request& request) {
  Instant now = parts_.clock.now();
  Json all = each_running(parts_, request.parameters.at(0), [&](const InstanceId& id, Json& shown) {
    Json processes = Json::array();
    for (const engine::ProcessInfo& process : parts_.engine.processes(id)) {
      processes.add(Json::object({{"pid", process.pid},
                                  {"parent", process.parent},
                                  {"uid", process.uid},
                                  {"running_ms", count<std::chrono::milliseconds>(now - process.started)},
                                  {"cpu_ms", count<std::chrono::milliseconds>(process.cpu)},
                                  {"command", process.command}}));
    }
    shown["processes"] = processes;
  });
  return net::json_response(Json::object({{"instances", all}}));
}

net::Response Handlers::stats(net::Request& request) {
  Json all = each_running(parts_, request.parameters.at(0), [&](const InstanceId& id, Json& shown) {
    engine::Usage usage = parts_.engine.usage(id);
    shown["at_ns"] = parts_.clock.now().time_since_epoch().count();
    shown["cpu_ns"] = usage.cpu.count();
    shown["memory"] = usage.memory;
    if (usage.memory_limit) shown["memory_limit"] = usage.memory_limit;
    shown["processes"] = usage.processes;
  });
  return net::json_response(Json::object({{"instances", all}}));
}

}  // namespace holdall::api
