#include <fmt/format.h>

#include <cstdio>

#include "cli/options.h"
#include "cli/project.h"
#include "cli/release_view.h"
#include "cli/target.h"

namespace holdall::cli {
namespace {

void print_plan(const Json& plan, const std::string& app, const Terminal& out) {
  if (plan.boolean_or("unchanged", false)) {
    out.line(fmt::format("{}: nothing changed, {} serves", app, plan.string_or("from", "")));
    return;
  }
  out.line(out.paint(Colour::bold, fmt::format("{} {}", app, plan.string_or("to", ""))));
  for (const std::string& line : plan_lines(plan)) out.line(line);
}

}  // namespace

int plan(Invocation& call) {
  bool json = false;
  Options options(call, "  holdall plan\n  holdall plan --on production");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  Terminal out(1, call.globals.ansi), errors(2, call.globals.ansi);
  const Target target = target_of(call.globals);
  std::deque<Server> servers = servers_at(target.hosts);
  const std::string path = fmt::format("/v1/apps/{}/plan", wire::percent_encode(target.app));
  auto ask = [&](Server& server) {
    app::Loaded project = load_release(call.globals, server, errors);
    wire::DeployRequest request = deploy_request(project, send_artefacts(server, project.app, errors));
    return server.post(path, wire::to_json(request));
  };
  if (json) {
    std::fputs(ask_each(servers, ask).pretty().c_str(), stdout);
    return 0;
  }
  return on_each(servers, out, [&](Server& server) { print_plan(ask(server).at("plan"), target.app, out); });
}

}  // namespace holdall::cli
