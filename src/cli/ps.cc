#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cli/app_name.h"
#include "cli/development.h"
#include "cli/instances_view.h"
#include "cli/options.h"

namespace holdall::cli {
namespace {

std::vector<wire::Instance> running(Stack& stack, const std::vector<std::string>& services) {
  if (!stack.server) return {};
  std::optional<Json> status = stack.server->find("/v1/apps/" + wire::percent_encode(stack.app) + "/status");
  if (!status) return {};
  std::vector<wire::Instance> instances = parse_instances(*status);
  std::erase_if(instances, [&](const wire::Instance& instance) {
    return !services.empty() &&
           std::find(services.begin(), services.end(), instance.service) == services.end();
  });
  return instances;
}

}  // namespace

int ps(Invocation& call) {
  std::vector<std::string> services;
  std::string format = "table";
  bool json = false, quiet = false;
  Options options(call, "  holdall ps\n  holdall ps -H unix:///run/holdall/api.sock --format json");
  options.arguments("SERVICE", services, "only these");
  options.choice("--format", format, {"table", "json"}, "json: an object a line, with Compose's names");
  options.flag("--json", json, "print one JSON object");
  options.flag("-q,--quiet", quiet, "print ids only");
  if (!options.parse()) return 0;
  Stack stack = find_stack(call.globals);
  std::vector<wire::Instance> instances = running(stack, services);
  std::string text;
  if (quiet) {
    for (const wire::Instance& instance : instances) text += instance.id + "\n";
  } else if (json) {
    Json all = Json::array();
    for (const wire::Instance& instance : instances) all.add(wire::to_json(instance));
    text = Json::object({{"app", stack.app}, {"instances", all}}).pretty();
  } else if (format == "json") {
    for (const wire::Instance& instance : instances)
      text += compose_instance(instance, stack.app).print() + "\n";
  } else {
    text = instances_table(instances, stack.app);
  }
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace holdall::cli
