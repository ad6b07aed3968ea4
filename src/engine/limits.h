#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/cgroups.h"
#include "engine/engine.h"
#include "engine/strings.h"

namespace holdall::engine {

/// What a shim is told of an instance's limits, with how many control groups it is given
/// (docs/formats/shim.md). Throws `invalid` for a limit of a name that setrlimit does not have.
void add_limits(const Limits& limits, std::size_t groups, Strings& strings);

/// As Engine::unenforced, for this process as the one that starts instances.
std::vector<std::string> unenforced(const Limits& limits, const ControlGroups& groups);

}  // namespace holdall::engine
