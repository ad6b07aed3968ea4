#include <fmt/format.h>

#include "base/id.h"
#include "cli/options.h"
#include "cli/project.h"
#include "cli/rollout.h"

namespace holdall::cli {

int deploy(Invocation& call) {
  RolloutOptions how;
  bool force = false;
  Options options(call, "  holdall deploy\n  holdall deploy --on production\n  holdall deploy --wait --json");
  options.flag("--detach", how.detach, "return once the release has begun");
  options.flag("--wait", how.wait, "wait for a release in progress to end first");
  options.flag("--force", force, "replace every service, changed or not");
  options.flag("--json", how.json, "print the release as a JSON object when it has ended");
  if (!options.parse()) return 0;
  Terminal errors(2, call.globals.ansi);
  const Target target = target_of(call.globals);
  confirm_change(call.globals, target, "releases this directory");
  std::deque<Server> servers = servers_at(target.hosts);
  // All that can be wrong with it, and all of its files, before the first server begins.
  std::map<const Server*, Json> requests;
  for (Server& server : servers) {
    app::Loaded project = load_release(call.globals, server, errors);
    wire::DeployRequest request = deploy_request(project, send_artefacts(server, project.app, errors));
    request.force = force;
    request.release_commands = &server == &servers.front();
    requests[&server] = wire::to_json(request);
  }
  const std::string path = fmt::format("/v1/apps/{}/releases", wire::percent_encode(target.app));
  return roll_out(call, target.app, servers, how,
                  [&](Server& server) { return server.post(path, requests.at(&server), random_id()); });
}

}  // namespace holdall::cli
