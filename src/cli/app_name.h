#pragma once

#include <optional>
#include <string>

#include "cli/cli.h"

namespace holdall::cli {

/// The app a command is about, when it does not need the file itself: -p, else what the caller's project is
/// called in the environment of --on (cli/target.h).
std::string app_name(const Globals& globals);

/// "v3" or "3" -> 3; throws `invalid`.
int parse_version(const std::string& text);

}  // namespace holdall::cli
