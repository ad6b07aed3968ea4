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

std::vector<wire::Instance> running(Server& server, const std::string& app,
                                    const std::vector<std::string>& services) {
  std::optional<Json> status = server.find("/v1/apps/" + wire::percent_encode(app) + "/status");
  if (!status) return {};
  std::vector<wire::Instance> instances = parse_instances(*status);
  std::erase_if(instances, [&](const wire::Instance& instance) {
    return !services.empty() &&
           std::find(services.begin(), services.end(), instance.service) == services.end();
  });
  return instances;
}

Json to_json(const std::string& app, const std::vector<wire::Instance>& instances) {
  Json all = Json::array();
  for (const wire::Instance& instance : instances) all.add(wire::to_json(instance));
  return Json::object({{"app", app}, {"instances", all}});
}

}  // namespace

int ps(Invocation& call) {
  std::vector<std::string> services;
  std::string format = "table";
  bool json = false, quiet = false;
  Options options(call, "  holdall ps\n  holdall ps --on production --format json");
  options.arguments("SERVICE", services, "only these");
  options.choice("--format", format, {"table", "json"}, "json: an object a line, with Compose's names");
  options.flag("--json", json, "print one JSON object");
  options.flag("-q,--quiet", quiet, "print ids only");
  if (!options.parse()) return 0;
  Stack stack = find_stacks(call.globals);
  if (stack.servers.empty()) {  // nothing runs: a list of none
    const std::string none = json ? to_json(stack.app, {}).pretty() : instances_table({}, stack.app);
    std::fputs(json || (!quiet && format == "table") ? none.c_str() : "", stdout);
    return 0;
  }
  auto ask = [&](Server& server) { return running(server, stack.app, services); };
  if (json) {
    Json all = ask_each(stack.servers, [&](Server& server) { return to_json(stack.app, ask(server)); });
    std::fputs(all.pretty().c_str(), stdout);
    return 0;
  }
  if (quiet || format == "json") {
    for (Server& server : stack.servers) {
      for (const wire::Instance& instance : ask(server)) {
        std::string line = quiet ? instance.id : compose_instance(instance, stack.app).print();
        std::fputs((line + "\n").c_str(), stdout);
      }
    }
    return 0;
  }
  return on_each(stack.servers, Terminal(1, call.globals.ansi), [&](Server& server) {
    std::fputs(instances_table(ask(server), stack.app).c_str(), stdout);
  });
}

}  // namespace holdall::cli
