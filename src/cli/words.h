#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/cli.h"

namespace holdall::cli {

/// What to answer to words of which the first is no command of `table`: what Heroku, Kamal or docker-compose
/// call so is called here, that it comes in a later version, or what was probably meant.
std::string unknown_command(const std::vector<std::string>& typed, std::span<const Command> table);

}  // namespace holdall::cli
