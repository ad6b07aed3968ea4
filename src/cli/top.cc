#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cli/development.h"
#include "cli/options.h"
#include "cli/watching.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

/// "02:03", "1:02:03": as `ps` shows spans of CPU time.
std::string clock_text(std::int64_t milliseconds) {
  std::int64_t seconds = milliseconds / 1000, minutes = seconds / 60, hours = minutes / 60;
  if (hours) return fmt::format("{}:{:02}:{:02}", hours, minutes % 60, seconds % 60);
  return fmt::format("{:02}:{:02}", minutes, seconds % 60);
}

std::string processes_table(const Json& instance) {
  Table table({"UID", "PID", "PPID", "AGE", "TIME", "CMD"});
  for (const Json& process : instance.at("processes").items()) {
    table.row({fmt::format("{}", process.at("uid").integer()), fmt::format("{}", process.at("pid").integer()),
               fmt::format("{}", process.at("parent").integer()),
               holdall::text(std::chrono::milliseconds(process.at("running_ms").integer())),
               clock_text(process.at("cpu_ms").integer()), process.at("command").string()});
  }
  return fmt::format("{}\n{}\n", instance_name(instance), table.text());
}

}  // namespace

int top(Invocation& call) {
  std::vector<std::string> services;
  bool json = false;
  Options options(call, "  holdall top\n  holdall top --on production web");
  options.arguments("SERVICE", services, "only these");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  Stack stack = running_stack(call.globals);
  Json answer = instances_of(stack, "processes", services);
  std::string shown;
  if (json) {
    shown = Json::object({{"app", stack.app}, {"instances", answer}}).pretty();
  } else {
    for (const Json& instance : answer.items()) shown += processes_table(instance);
  }
  std::fputs(shown.c_str(), stdout);
  return 0;
}

}  // namespace holdall::cli
