#include "app/model.h"

#include <charconv>

#include <fmt/format.h>

#include "app/limits.h"
#include "app/order.h"
#include "app/ports.h"
#include "app/reader.h"
#include "app/secrets.h"
#include "base/subprocess.h"

namespace holdall::app {
namespace {

// Instances are processes of one machine; far beyond what one can run, far below what overflows.
constexpr int kMostReplicas = 1'000;

void read_dependencies(const Reader& depends_on, Service& service) {
  for (const auto& [name, entry] : depends_on.members()) {
    Dependency dependency;
    std::string condition = entry["condition"].text().value_or("");
    if (condition == "service_healthy") {
      dependency.condition = DependsOn::healthy;
    } else if (condition == "service_completed_successfully") {
      dependency.condition = DependsOn::completed;
    } else if (condition != "service_started") {
      entry["condition"].fault(fmt::format("'{}' is no condition", condition));
    }
    dependency.required = entry["required"].boolean().value_or(true);
    service.depends_on[name] = dependency;
  }
}

void read_healthcheck(const Reader& place, Service& service) {
  if (!place.present()) return;
  Healthcheck check;
  std::vector<std::string> test = place["test"].texts();
  bool disabled = place["disable"].boolean().value_or(false) || (!test.empty() && test[0] == "NONE");
  if (!disabled) {
    if (test.size() > 1 && test[0] == "CMD") {
      check.command.assign(test.begin() + 1, test.end());
    } else if (test.size() == 2 && test[0] == "CMD-SHELL") {
      check.command = {"/bin/sh", "-c", test[1]};
    } else {
      return;  // the image's own; check_process_engine has a word on that
    }
  }
  check.interval = place["interval"].duration().value_or(check.interval);
  check.timeout = place["timeout"].duration().value_or(check.timeout);
  check.start_period = place["start_period"].duration().value_or(check.start_period);
  check.start_interval = place["start_interval"].duration().value_or(check.start_interval);
  // Docker takes 0 for "the default" in each of them.
  const Healthcheck defaults;
  if (check.interval.count() == 0) check.interval = defaults.interval;
  if (check.timeout.count() == 0) check.timeout = defaults.timeout;
  if (check.start_interval.count() == 0) check.start_interval = defaults.start_interval;
  check.retries = static_cast<int>(place["retries"].integer(0, 1'000'000).value_or(check.retries));
  if (check.retries == 0) check.retries = defaults.retries;
  service.healthcheck = std::move(check);
}

void read_restart(const Reader& place, Service& service) {
  std::string text = place.text().value_or("");
  constexpr std::string_view counted = "on-failure:";
  if (text.starts_with(counted)) {
    const char* begin = text.data() + counted.size();
    auto [end, error] = std::from_chars(begin, text.data() + text.size(), service.restart.most);
    if (error == std::errc() && end == text.data() + text.size() && service.restart.most >= 0) {
      service.restart.policy = Restart::on_failure;
      return;
    }
    service.restart.most = 0;
  }
  if (text.empty()) return;
  if (text == "no") {
    service.restart.policy = Restart::no;
  } else if (text == "always") {
    service.restart.policy = Restart::always;
  } else if (text == "on-failure") {
    service.restart.policy = Restart::on_failure;
  } else if (text == "unless-stopped") {
    service.restart.policy = Restart::unless_stopped;
  } else {
    place.fault(fmt::format("'{}' is no policy", text),
                "it is \"no\", always, on-failure, on-failure:N or unless-stopped");
  }
}

void read_restart_policy(const Reader& place, Service& service) {
  if (!place.present()) return;
  Restart& restart = service.restart;
  const std::string condition = place["condition"].text().value_or("any");
  restart = {};
  if (condition == "none" || condition == "no") {
    restart.policy = Restart::no;
  } else if (condition == "on-failure") {
    restart.policy = Restart::on_failure;
  } else if (condition == "any" || condition == "always" || condition == "unless-stopped") {
    restart.policy = Restart::always;
  } else {
    place["condition"].fault(fmt::format("'{}' is no condition", condition), "it is none, on-failure or any");
  }
  restart.most = static_cast<int>(place["max_attempts"].integer(0, 1'000'000).value_or(0));
  restart.delay = place["delay"].duration();
  restart.window = place["window"].duration().value_or(restart.window);
}

void read_stop_signal(const Reader& place, Service& service) {
  auto text = place.text();
  if (!text) return;
  try {
    service.stop_signal = parse_signal(*text);
  } catch (const Error& error) {
    place.fault(error.what(), "write a name like SIGTERM or SIGINT");
  }
}

void read_stop_grace(const Reader& place, Service& service) {
  bool negative = place.is_string() && place.json()->string().starts_with('-');
  if (!negative) service.stop_grace = place.duration().value_or(service.stop_grace);
}

void read_ports(const Reader& ports, Service& service) {
  for (const Reader& item : ports.items()) {
    Port port;
    port.host_ip = item["host_ip"].text().value_or("");
    port.target = static_cast<std::uint16_t>(item["target"].integer(1, 65535).value_or(0));
    port.protocol = item["protocol"].text().value_or("tcp");
    port.app_protocol = item["app_protocol"].text().value_or("");
    std::string published = item["published"].text().value_or("");
    auto range = parse_port_range(published);
    if (!published.empty() && !range) item["published"].fault(fmt::format("'{}' is no port", published));
    if (range) port.published = range->first;
    if (!port.host_ip.empty() && !is_ip_address(port.host_ip)) {
      item["host_ip"].fault(fmt::format("'{}' is no IP address", port.host_ip));
    }
    service.ports.push_back(std::move(port));
  }
}

void read_expose(const Reader& expose, Service& service) {
  for (const Reader& item : expose.items()) {
    std::string text = item.text().value_or("");
    auto range = parse_port_range(std::string_view(text).substr(0, text.find('/')));
    if (!range || range->first == 0) {
      item.fault(fmt::format("'{}' is no port", text));
      continue;
    }
    for (int port = range->first; port <= range->last; ++port)
      service.expose.push_back(static_cast<std::uint16_t>(port));
  }
}

Service read_service(const std::string& name, const Reader& place,
                     const std::map<std::string, std::string>& secrets) {
  Service service;
  service.name = name;
  service.image = place["image"].text().value_or("");
  service.context = place["build"]["context"].text().value_or("");
  service.entrypoint = place["entrypoint"].texts();
  service.command = place["command"].texts();
  service.working_dir = place["working_dir"].text().value_or("");
  read_environment(place["environment"], service);
  read_secrets(place["secrets"], secrets, service);
  read_dependencies(place["depends_on"], service);
  read_healthcheck(place["healthcheck"], service);
  read_restart(place["restart"], service);
  read_stop_signal(place["stop_signal"], service);
  read_stop_grace(place["stop_grace_period"], service);
  read_ports(place["ports"], service);
  read_expose(place["expose"], service);
  service.profiles = place["profiles"].texts();
  Reader deploy = place["deploy"];
  auto replicas = place["scale"].integer(0, kMostReplicas);
  if (!replicas) replicas = deploy["replicas"].integer(0, kMostReplicas);
  service.replicas = static_cast<int>(replicas.value_or(1));
  service.update.monitor = deploy["update_config"]["monitor"].duration().value_or(service.update.monitor);
  read_pre_start(place["pre_start"], service);
  read_restart_policy(deploy["restart_policy"], service);
  read_limits_of(place, service);
  read_extension(place["x-holdall"], service);
  return service;
}

/// Dependencies that nothing starts are dropped where they are optional, and faults where not.
void settle_dependencies(App& app, std::vector<Fault>& faults) {
  for (auto& [name, service] : app.services) {
    std::erase_if(service.depends_on, [&](const auto& entry) {
      if (app.services.contains(entry.first)) return false;
      if (entry.second.required) {
        faults.push_back(
            {fmt::format("services.{}.depends_on.{}", name, entry.first), "there is no such service", ""});
      }
      return true;
    });
  }
}

}  // namespace

App read_model(const Json& model, std::vector<Fault>& faults) {
  App app;
  Reader root(&model, "", faults);
  if (!root.is_object()) {
    faults.push_back({"", "the model must be a mapping", ""});
    return app;
  }
  const std::map<std::string, std::string> secrets = sealed_names(root["secrets"]);
  for (const auto& [key, value] : root.members()) {
    if (key == "name") app.name = value.text().value_or("");
    if (key != "services") continue;
    for (const auto& [name, place] : value.members()) {
      if (name.starts_with("x-") && !place.is_object()) continue;
      if (!place.is_object()) {
        place.fault("must be a mapping");
        continue;
      }
      app.services[name] = read_service(name, place, secrets);
      app.service_order.push_back(name);
    }
  }
  settle_dependencies(app, faults);
  if (std::vector<std::string> cycle = find_cycle(app); !cycle.empty()) {
    faults.push_back({fmt::format("services.{}.depends_on.{}", cycle[0], cycle[1]),
                      fmt::format("goes round: {}", fmt::join(cycle, " -> ")),
                      "remove one of these dependencies"});
  }
  return app;
}

}  // namespace holdall::app
