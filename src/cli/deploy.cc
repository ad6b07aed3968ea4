#include <fmt/format.h>

#include "base/id.h"
#include "cli/options.h"
#include "cli/project.h"
#include "cli/rollout.h"

namespace holdall::cli {

int deploy(Invocation& call) {
  RolloutOptions how;
  bool force = false;
  Options options(call, "  holdall deploy\n  holdall deploy --wait --json");
  options.flag("--detach", how.detach, "return once the release has begun");
  options.flag("--wait", how.wait, "wait for a release in progress to end first");
  options.flag("--force", force, "replace every service, changed or not");
  options.flag("--json", how.json, "print the release as a JSON object when it has ended");
  if (!options.parse()) return 0;
  Terminal errors(2, call.globals.ansi);
  app::Loaded project = load_project(call.globals, true, errors);
  Server server = server_of(call.globals);
  wire::DeployRequest request = deploy_request(project, send_artefacts(server, project.app, errors));
  request.force = force;
  const std::string target = fmt::format("/v1/apps/{}/releases", wire::percent_encode(project.app.name));
  return roll_out(call, server, project.app.name, how,
                  [&] { return server.post(target, wire::to_json(request), random_id()); });
}

}  // namespace holdall::cli
