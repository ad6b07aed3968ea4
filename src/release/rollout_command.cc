// The step in which release commands run: each is a group of the supervisor like any other, so that the next
// control finds it and how it ended.

#include <fmt/format.h>

#include "release/plan.h"
#include "release/report.h"
#include "release/rollout.h"

namespace holdall::release {
namespace {

using supervise::Health;
using supervise::InstanceStatus;

// Lines of one command that become events, which are rows: a migration says a few, and who says more is
// found in the logs.
constexpr int kMostLines = 500;

/// Of the commands that have ended well; what the report shows of them.
bool has_run(const Json& report, const GroupId& group) {
  const Json* commands = report.find("commands");
  if (!commands) return false;
  for (const Json& each : commands->items()) {
    if (each.at("group").string() == group.value) return true;
  }
  return false;
}

void add_command(Json& report, const std::string& service, const InstanceStatus& instance, Json took) {
  if (!report.find("commands")) report["commands"] = Json::array();
  report["commands"].add(Json::object({{"service", service},
                                       {"group", instance.group.value},
                                       {"instance", instance.id.value},
                                       {"ms", std::move(took)}}));
}

}  // namespace

std::vector<std::pair<std::string, supervise::Group>> Rollout::command_groups() const {
  std::vector<std::pair<std::string, supervise::Group>> groups;
  for (const std::string& name : start_order(app_)) {
    const app::Service& service = app_.services.at(name);
    for (std::size_t i = 0; i < service.release_commands.size(); ++i) {
      groups.emplace_back(
          name, resolve_command(app_, service, i, row_.request.artefacts.at(name), resolve_for(name)));
    }
  }
  return groups;
}

std::vector<GroupId> Rollout::command_group_ids() const {
  std::vector<GroupId> ids;
  if (!row_.request.release_commands) return ids;
  for (const auto& [name, service] : app_.services) {
    for (std::size_t i = 0; i < service.release_commands.size(); ++i)
      ids.push_back(command_group_id(name_, name, i, number_));
  }
  return ids;
}

void Rollout::run_commands() {
  const auto groups = command_groups();
  if (row_.boot != boot_id()) {
    // Nobody knows how far a command had come when the machine went down: those that had not ended well are
    // run anew.
    std::vector<GroupId> interrupted;
    for (const auto& [service, group] : groups) {
      if (!has_run(row_.release.report, group.id)) interrupted.push_back(group.id);
    }
    for (const GroupId& group : interrupted) {
      context_.act("command.again", [&] { context_.supervisor.unwant(group); });
    }
    if (!context_.wait_gone(interrupted, stop_)) return;
    move_to(row_in(row_, Step::command, context_.clock));
    return;
  }
  for (const auto& [service, group] : groups) {
    if (!has_run(row_.release.report, group.id) && !run_command(app_.services.at(service), group)) return;
    context_.act("command.forget", [&] { context_.supervisor.unwant(group.id); });
  }
  if (!context_.wait_gone(command_group_ids(), stop_)) return;
  // The sockets of the new release are bound now: an address that is in use must not wait for the switch.
  move_and_publish(row_in(row_, Step::start, context_.clock), "publish");
}

/// True when it has ended well, and that is committed. Else the release is in another step, or the process is
/// to stop.
bool Rollout::run_command(const app::Service& service, const supervise::Group& group) {
  context_.act("command.want", [&] { context_.supervisor.want(group); });
  if (told_.insert(group.id.value).second) {
    tell("command", Json::object({{"service", service.name},
                                  {"group", group.id.value},
                                  {"command", fmt::format("{}", fmt::join(group.workload.command, " "))}}));
  }
  OutputReader read;
  int lines = 0;
  while (!stop_.stop_requested()) {
    const auto snapshot = context_.supervisor.snapshot();
    Instant until = Instant::max();
    if (const auto instances = snapshot->of(group.id); !instances.empty()) {
      const InstanceStatus& one = instances.front();
      if (!read && context_.options.output) read = context_.options.output(one);
      const bool runs = one.health == Health::starting || one.health == Health::ready;
      // What it said before it ended is there by the time that its end is seen.
      if (read) tell_output(one.id.value, read(!runs), lines);
      if (one.health == Health::completed) {
        const Json took = one.executed ? in_ms(context_.clock.now() - *one.executed) : Json();
        add_command(row_.release.report, service.name, one, took);
        tell("ran", Json::object({{"service", service.name}, {"group", group.id.value}, {"took_ms", took}}));
        commit_untold();
        return !overtaken();
      }
      if (one.executed) until = *one.executed + service.release_timeout;
      const bool late = runs && context_.clock.now() >= until;
      if (!runs || late) {
        const std::string how =
            late ? fmt::format("did not end within {}", text(service.release_timeout)) : one.reason;
        begin_revert(fmt::format("the release command of {} {}", service.name, how), &one);
        return false;
      }
    }
    commit_untold();
    if (overtaken()) return false;
    pause(*snapshot, until);
  }
  return false;
}

/// `seen` counts the lines that came before `lines`; a former control may have told some of them.
void Rollout::tell_output(const std::string& instance, std::vector<std::string> lines, int& seen) {
  int& told = lines_told_[instance];
  Json fresh = Json::array();
  for (std::string& line : lines) {
    const int index = seen++;
    if (index < told || index > kMostLines) continue;
    fresh.add(index < kMostLines ? std::move(line) : std::string("... and more: holdall logs"));
    told = index + 1;
  }
  if (!fresh.items().empty())
    tell("output", Json::object({{"instance", instance}, {"lines", std::move(fresh)}}));
}

}  // namespace holdall::release
