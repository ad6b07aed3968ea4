#include <fmt/format.h>

#include <cstdio>

#include "cli/options.h"
#include "cli/project.h"
#include "cli/release_view.h"

namespace holdall::cli {

int plan(Invocation& call) {
  bool json = false;
  Options options(call, "  holdall plan");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  Terminal out(1, call.globals.ansi), errors(2, call.globals.ansi);
  app::Loaded project = load_project(call.globals, true, errors);
  Server server = server_of(call.globals);
  wire::DeployRequest request = deploy_request(project, send_artefacts(server, project.app, errors));
  Json plan = server
                  .post(fmt::format("/v1/apps/{}/plan", wire::percent_encode(project.app.name)),
                        wire::to_json(request))
                  .at("plan");
  if (json) {
    std::fputs(Json::object({{"plan", plan}}).pretty().c_str(), stdout);
    return 0;
  }
  if (plan.boolean_or("unchanged", false)) {
    out.line(fmt::format("{}: nothing changed, {} serves", project.app.name, plan.string_or("from", "")));
    return 0;
  }
  out.line(out.paint(Colour::bold, fmt::format("{} {}", project.app.name, plan.string_or("to", ""))));
  for (const std::string& line : plan_lines(plan)) out.line(line);
  return 0;
}

}  // namespace holdall::cli
