#pragma once

#include <map>
#include <string>

#include "engine/engine.h"

namespace holdall::engine {

/// Exactly what a program of this member sees: what is declared and, where that does not say, PATH, HOME,
/// HOSTNAME, PORT (if the member has one), HOLDALL_APP, HOLDALL_SERVICE, HOLDALL_INSTANCE, and
/// HOLDALL_SECRETS if it finds files there. Variables that hold secrets are left out. `home` empty: the
/// engine's own.
std::map<std::string, std::string> environment_of(const Workload& workload, const Member& member,
                                                  const std::string& home, const std::string& secrets);

/// What a build sees: PATH and HOME.
std::map<std::string, std::string> build_environment();

}  // namespace holdall::engine
