#include "cli/instances_view.h"

#include <fmt/format.h>

#include "cli/terminal.h"

namespace holdall::cli {
namespace {

/// Docker's words for a span: "Less than a second", "3 minutes".
std::string human(std::int64_t ms) {
  auto unit = [](std::int64_t count, std::string_view one) {
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
  };
  std::int64_t seconds = ms / 1000;
  if (seconds < 1) return "Less than a second";
  if (seconds < 60) return unit(seconds, "second");
  if (seconds < 3600) return unit(seconds / 60, "minute");
  if (seconds < 48 * 3600) return unit(seconds / 3600, "hour");
  return unit(seconds / 86400, "day");
}

/// Compose's state: running, restarting, exited, removing.
std::string_view state(const wire::Instance& instance) {
  if (instance.health == "waiting") return "restarting";
  if (instance.health == "completed" || instance.health == "failed")
    return instance.running_ms < 0 ? "exited" : "running";
  if (instance.health == "stopping") return "removing";
  return "running";
}

std::string_view health(const wire::Instance& instance) {
  if (instance.health == "ready") return "healthy";
  if (instance.health == "starting") return "starting";
  if (instance.health == "unready") return "unhealthy";
  return "";
}

std::string name_of(const wire::Instance& instance) {
  return fmt::format("{}.{}", instance.service, instance.slot);
}

std::string shortened(const std::string& command) {
  constexpr std::size_t kMost = 30;
  return command.size() <= kMost ? command : command.substr(0, kMost - 3) + "...";
}

}  // namespace

std::vector<wire::Instance> parse_instances(const Json& status) {
  std::vector<wire::Instance> instances;
  for (const Json& instance : status.at("instances").items())
    instances.push_back(wire::parse_instance(instance));
  return instances;
}

std::string status_text(const wire::Instance& instance) {
  std::string reason = instance.reason.empty() ? "" : ": " + instance.reason;
  if (state(instance) == "restarting") return fmt::format("Restarting ({}){}", instance.exit_code, reason);
  if (state(instance) == "exited") return fmt::format("Exited ({}){}", instance.exit_code, reason);
  if (state(instance) == "removing") return "Stopping";
  if (instance.running_ms < 0) return "Starting" + reason;
  return fmt::format("Up {} ({}){}", human(instance.running_ms), instance.health, reason);
}

std::string instances_table(const std::vector<wire::Instance>& instances, const std::string& app) {
  Table table({"NAME", "COMMAND", "SERVICE", "RELEASE", "STATUS", "ADDRESS"});
  for (const wire::Instance& instance : instances) {
    table.row({(app.empty() ? "" : app + "-") + name_of(instance),
               fmt::format("\"{}\"", shortened(instance.command)), instance.service, instance.release,
               status_text(instance), instance.address});
  }
  return table.text();
}

Json compose_instance(const wire::Instance& instance, const std::string& app) {
  return Json::object({{"ID", instance.id},
                       {"Name", fmt::format("{}-{}", app, name_of(instance))},
                       {"Project", app},
                       {"Service", instance.service},
                       {"Command", fmt::format("\"{}\"", instance.command)},
                       {"State", state(instance)},
                       {"Health", health(instance)},
                       {"Status", status_text(instance)},
                       {"ExitCode", instance.exit_code},
                       {"Release", instance.release},
                       {"Restarts", instance.restarts},
                       {"Address", instance.address},
                       {"Reason", instance.reason}});
}

}  // namespace holdall::cli
