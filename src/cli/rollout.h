#pragma once

#include <functional>
#include <string>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/server.h"

namespace holdall::cli {

/// How `deploy` and `rollback` follow what they started.
struct RolloutOptions {
  bool detach = false;  ///< do not follow
  bool wait = false;    ///< for a release in progress to end, instead of failing
  bool json = false;    ///< print the release as it came out, and nothing else
};

/// Starts a release by `begin` (which gives the API's answer: a release, or `unchanged`) and follows it to
/// its end. Ctrl-C cancels it before the switch and leaves it to the server afterwards. Returns the exit
/// code.
int roll_out(Invocation& call, Server& server, const std::string& app, const RolloutOptions& options,
             const std::function<Json()>& begin);

}  // namespace holdall::cli
