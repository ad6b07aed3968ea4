// What changes a running app without a file: other numbers, new instances, stops and signals.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/handlers.h"
#include "base/error.h"
#include "base/subprocess.h"

namespace holdall::api {
namespace {

using namespace std::chrono_literals;

// Every instance gets its grace; a client that waits longer asks again.
constexpr auto kStopTimeout = 5min;

// Clients and what stands before us give up long before; each held request costs a connection.
constexpr std::chrono::milliseconds kLongestHold = 1h;

const std::string& app_of(const net::Request& request) { return request.parameters.at(0); }

std::string key_of(const net::Request& request) { return std::string(request.header("Idempotency-Key")); }

Json body_of(net::Request& request) { return request.body.empty() ? Json::object() : request.json(); }

std::set<std::string> names(const Json& body, std::string_view member) {
  std::set<std::string> all;
  if (const Json* list = body.find(member)) {
    for (const Json& name : list->items()) all.insert(name.string());
  }
  return all;
}

bool is_running(const supervise::InstanceStatus& instance) {
  using supervise::Health;
  switch (instance.health) {
    case Health::starting:
    case Health::ready:
    case Health::unready:
    case Health::stopping: return true;
    case Health::waiting:
    case Health::completed:
    case Health::failed: return false;
  }
  return false;
}

net::Response released(const std::optional<release::Release>& begun) {
  if (!begun) return net::json_response(Json::object({{"unchanged", true}}));
  return net::json_response(Json::object({{"release", to_json(*begun)}}), 201);
}

/// Of these services (none: of all), those of the app's instances that run: "web.1".
std::vector<std::string> send_signal(const Parts& parts, const std::string& app,
                                     const std::set<std::string>& services, int number) {
  std::vector<std::string> sent;
  for (const supervise::InstanceStatus& one : parts.releases.status(app).instances) {
    if (!is_running(one) || (!services.empty() && !services.contains(one.service))) continue;
    try {
      parts.supervisor.signal(one.id, number);
      sent.push_back(fmt::format("{}.{}", one.service, one.slot));
    } catch (const Error& error) {
      if (error.kind() != Error::missing) throw;  // it has ended meanwhile
    }
  }
  return sent;
}

}  // namespace

net::Response Handlers::scale(net::Request& request) {
  const Json body = body_of(request);
  std::map<std::string, int> replicas;
  if (const Json* services = body.find("services")) {
    for (const auto& [name, count] : services->members()) replicas[name] = static_cast<int>(count.integer());
  }
  return released(
      parts_.releases.scale(app_of(request), replicas, names(body, "reset"), request.user, key_of(request)));
}

net::Response Handlers::restart(net::Request& request) {
  const Json body = body_of(request);
  return released(
      parts_.releases.restart(app_of(request), names(body, "services"), request.user, key_of(request)));
}

net::Response Handlers::stop_services(net::Request& request) {
  const Json body = body_of(request);
  std::optional<std::chrono::milliseconds> patience;
  if (const Json* timeout = body.find("timeout_ms"); timeout && !timeout->is_null())
    patience = std::chrono::milliseconds(timeout->integer());
  parts_.releases.stop(app_of(request), names(body, "services"), Deadline::after(kStopTimeout), patience);
  return net::json_response(Json::object());
}

net::Response Handlers::start_services(net::Request& request) {
  parts_.releases.start(app_of(request), names(body_of(request), "services"));
  return net::json_response(Json::object());
}

net::Response Handlers::kill(net::Request& request) {
  const Json body = body_of(request);
  const int number = parse_signal(body.string_or("signal", "SIGKILL"));
  const std::set<std::string> services = names(body, "services");
  Json instances = Json::array();
  for (std::string& name : send_signal(parts_, app_of(request), services, number))
    instances.add(std::move(name));
  if (instances.items().empty()) {
    throw Error(Error::missing, fmt::format("no instance of {}{} runs", app_of(request),
                                            services.empty() ? "" : "'s " + *services.begin()));
  }
  return net::json_response(Json::object({{"instances", std::move(instances)}}));
}

net::Response Handlers::maintenance(net::Request& request) {
  const Json body = body_of(request);
  std::optional<release::Maintenance> wanted;
  if (body.at("on").boolean()) {
    const std::chrono::milliseconds hold(body.integer_or("hold_ms", 0));
    if (hold < 0ms || hold > kLongestHold) {
      throw Error(Error::invalid, fmt::format("requests are held for at most {}", text(kLongestHold)));
    }
    wanted = release::Maintenance{hold, request.user, parts_.clock.wall()};
  }
  parts_.releases.set_maintenance(app_of(request), wanted);
  return net::json_response(Json::object({{"maintenance", wanted ? to_json(*wanted) : Json()}}));
}

net::Response Handlers::variables(net::Request& request) {
  return net::json_response(to_json(parts_.releases.variables(app_of(request))));
}

net::Response Handlers::set_variables(net::Request& request) {
  const Json body = body_of(request);
  std::map<std::string, std::string> set;
  if (const Json* pairs = body.find("set")) {
    for (const auto& [name, value] : pairs->members()) set[name] = value.string();
  }
  const release::VariablesSet done = parts_.releases.set_variables(app_of(request), set, names(body, "unset"),
                                                                   request.user, key_of(request));
  Json unused = Json::array();
  for (const std::string& name : done.unused) unused.add(name);
  Json answer = Json::object({{"unchanged", !done.release}, {"unused", std::move(unused)}});
  if (done.release) {
    answer["release"] = to_json(*done.release);
  } else {
    answer["kept"] = !parts_.releases.status(app_of(request)).serving;
  }
  return net::json_response(answer, done.release ? 201 : 200);
}

}  // namespace holdall::api
