#include <fmt/format.h>

#include "base/id.h"
#include "cli/app_name.h"
#include "cli/options.h"
#include "cli/rollout.h"
#include "wire/wire.h"

namespace holdall::cli {

int rollback(Invocation& call) {
  RolloutOptions how;
  std::optional<std::string> to;
  Options options(call, "  holdall rollback\n  holdall rollback v2");
  options.argument("RELEASE", to, "the release to go back to; else the one that served before");
  options.flag("--detach", how.detach, "return once the release has begun");
  options.flag("--wait", how.wait, "wait for a release in progress to end first");
  options.flag("--json", how.json, "print the release as a JSON object when it has ended");
  if (!options.parse()) return 0;
  Json body = Json::object();
  if (to) body["to"] = parse_version(*to);
  const Target target = target_of(call.globals);
  confirm_change(call.globals, target, "goes back to an earlier release");
  std::deque<Server> servers = servers_at(target.hosts);
  const std::string path = fmt::format("/v1/apps/{}/rollback", wire::percent_encode(target.app));
  return roll_out(call, target.app, servers, how,
                  [&](Server& server) { return server.post(path, body, random_id()); });
}

}  // namespace holdall::cli
