#pragma once

#include <functional>
#include <string>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/server.h"
#include "cli/target.h"

namespace holdall::cli {

/// How `deploy` and `rollback` follow what they started.
struct RolloutOptions {
  bool detach = false;  ///< do not follow
  bool wait = false;    ///< for a release in progress to end, instead of failing
  bool json = false;    ///< print the release as it came out, and nothing else
};

/// Starts a release by `begin` (which gives the API's answer: a release, or `unchanged`) and follows it to
/// its end, on each of the servers in turn. Ctrl-C cancels it before the last switch and leaves it to the
/// server afterwards. When it fails or is cancelled on one server, those on which it is live go back to what
/// they served before. Returns the exit code.
int roll_out(Invocation& call, const std::string& app, std::deque<Server>& servers,
             const RolloutOptions& options, const std::function<Json(Server&)>& begin);

/// The same on one server.
int roll_out(Invocation& call, Server& server, const std::string& app, const RolloutOptions& options,
             const std::function<Json()>& begin);

}  // namespace holdall::cli
