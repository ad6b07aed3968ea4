#include <map>

#include <fmt/format.h>

#include "app/ports.h"
#include "app/reader.h"

namespace holdall::app {
namespace {

void check_program(const Service& service, const Reader& place) {
  if (service.entrypoint.empty() && service.command.empty()) {
    place.fault("has neither command nor entrypoint, and the process engine takes none from an image",
                "write 'command:' with the program and its arguments");
  }
  if (service.context.string().find("://") != std::string::npos ||
      service.context.string().starts_with("git@")) {
    place["build"]["context"].fault("is a URL, and the process engine runs from a directory",
                                    "clone it and name the directory");
  }
}

void check_values(const Service& service, const Reader& place) {
  Reader check = place["healthcheck"];
  if (check.present() && !service.healthcheck) {
    check.fault("has no test, and there is no image to take one from",
                "write 'test: [\"CMD\", ...]', or 'disable: true'");
  }
  // Docker's own least: below it a program does not come so far as to say what is wrong.
  constexpr std::uint64_t kLeastMemory = 6 << 20;
  if (service.limits.memory && service.limits.memory < kLeastMemory) {
    Reader written =
        place["mem_limit"].present() ? place["mem_limit"] : place["deploy"]["resources"]["limits"]["memory"];
    written.fault("is less than 6 MiB, in which no program starts", "write at least 6m");
  }
  Reader grace = place["stop_grace_period"];
  if (grace.is_string() && grace.json()->string().starts_with('-')) grace.fault("must not be negative");
}

void check_port_variable(const Service& service, const Reader& place) {
  bool declared = service.environment.contains("PORT") || service.secret_environment.contains("PORT");
  if (!service.has_port() || !declared) return;
  place["environment"]["PORT"].fault(
      "is refused: two instances would meet on that port, as the old and the new do in every release",
      "remove it, and let the program listen on $PORT, which differs for each instance");
}

void check_update(const Service& service, const Reader& update) {
  if (auto order = update["order"].text(); order && *order != "start-first") {
    update["order"].fault(
        fmt::format("'{}' is refused: a release starts the new beside the old, so that no request is lost",
                    *order),
        "write start-first, or leave it out");
  }
  auto parallelism = update["parallelism"].integer(0, 1'000'000);
  if (parallelism && *parallelism > 0 && *parallelism < service.replicas) {
    update["parallelism"].fault(fmt::format("{} is refused: all {} instances are replaced in one switch",
                                            *parallelism, service.replicas),
                                "write 0, or leave it out");
  }
  if (auto action = update["failure_action"].text(); action && *action != "rollback") {
    update["failure_action"].fault(
        fmt::format("'{}' is refused: a release that fails is always taken back", *action),
        "write rollback, or leave it out");
  }
  if (auto delay = update["delay"].text(); delay && *delay != "0s") {
    update["delay"].fault("is refused: all instances are replaced in one switch",
                          "write 0s, or leave it out");
  }
  Reader ratio = update["max_failure_ratio"];
  if (ratio.present() && !(ratio.json()->is_number() && ratio.json()->number() == 0)) {
    ratio.fault("is refused: one instance that fails takes the release back", "write 0, or leave it out");
  }
}

/// Published ports, by address and number, over all services.
using Taken = std::map<std::pair<std::string, std::uint16_t>, std::string>;

void check_ports(const Service& service, const Reader& ports, Taken& taken) {
  for (const Reader& item : ports.items()) {
    std::string protocol = item["protocol"].text().value_or("tcp");
    if (protocol != "tcp") {
      item["protocol"].fault(fmt::format("{} is refused: the router forwards TCP alone", protocol),
                             "remove this port");
    }
    std::string published = item["published"].text().value_or("");
    auto range = parse_port_range(published);
    if (!range || range->first == 0) continue;
    if (range->first != range->last) {
      item["published"].fault(fmt::format("{} is refused: of a range none is chosen", published),
                              "write one port");
      continue;
    }
    auto [other, fresh] =
        taken.emplace(std::pair(item["host_ip"].text().value_or(""), range->first), service.name);
    if (!fresh) {
      item["published"].fault(fmt::format("{} is published by '{}' too", published, other->second),
                              "choose another port");
    }
  }
}

/// Waiting for health needs something that tells it.
void check_dependencies(const App& app, const Service& service, const Reader& depends_on) {
  for (const auto& [name, entry] : depends_on.members()) {
    auto dependency = service.depends_on.find(name);
    if (dependency == service.depends_on.end()) continue;  // optional, and not started
    const Service& other = app.services.at(name);
    bool told = other.ready || other.has_port() || (other.healthcheck && !other.healthcheck->command.empty());
    if (dependency->second.condition == DependsOn::healthy && !told) {
      entry.fault(fmt::format("waits until '{}' is healthy, and nothing tells when it is", name),
                  fmt::format("give '{}' a healthcheck, or wait for service_started", name));
    }
  }
}

}  // namespace

void check_process_engine(const App& app, const Json& model, std::vector<Fault>& faults) {
  Reader services(model.find("services"), "services", faults);
  Taken taken;
  for (const auto& [name, place] : services.members()) {
    if (!app.services.contains(name)) continue;
    const Service& service = app.services.at(name);
    check_program(service, place);
    check_values(service, place);
    check_port_variable(service, place);
    check_update(service, place["deploy"]["update_config"]);
    check_ports(service, place["ports"], taken);
    check_dependencies(app, service, place["depends_on"]);
  }
}

}  // namespace holdall::app
