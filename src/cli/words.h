#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/cli.h"

namespace holdall::cli {

/// What to answer to a command that is not in `table`: what it is called here, that it comes in a later
/// version, or what was probably meant.
std::string unknown_command(std::string_view typed, std::span<const Command> table);

}  // namespace holdall::cli
