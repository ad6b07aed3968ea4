#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "cli/server.h"
#include "cli/terminal.h"

namespace holdall::cli {

/// What `logs` asks for.
struct LogOptions {
  std::string app;
  std::vector<std::string> services;
  bool follow = false;
  std::optional<int> tail;
  std::optional<WallTime> since;  ///< what was said before is left out
  bool prefix = true;             ///< "web.1  | " before each line
  std::string host = {};          ///< and before that this, where there are several
};

/// Prints an app's output, each instance in its colour, over restarts of the server. Returns at the end of
/// what there is, or with `follow` when the server is gone for good.
void print_logs(Server& server, const LogOptions& options, const Terminal& out);

}  // namespace holdall::cli
