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
  std::string app = app_name(call.globals);
  Server server = server_of(call.globals);
  const std::string target = fmt::format("/v1/apps/{}/rollback", wire::percent_encode(app));
  return roll_out(call, server, app, how, [&] { return server.post(target, body, random_id()); });
}

}  // namespace holdall::cli
