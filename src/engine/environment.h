#pragma once

#include <map>
#include <string>

#include "engine/engine.h"

namespace holdall::engine {

/// Exactly what a program of this member sees: what is declared and, where that does not say, PATH, HOME,
/// HOSTNAME, PORT (if the member has one), HOLDALL_APP, HOLDALL_SERVICE and HOLDALL_INSTANCE.
std::map<std::string, std::string> environment_of(const Workload& workload, const Member& member);

/// What a build sees: PATH and HOME.
std::map<std::string, std::string> build_environment();

}  // namespace holdall::engine
