#pragma once

#include <sys/types.h>

#include <vector>

#include "engine/record.h"

namespace holdall::engine {

/// The living processes of an instance, its shim left out where it is in no namespace of its own. Zombies do
/// not count. A session whose number was given to somebody else since has none.
std::vector<pid_t> processes_of(const Tree& tree);

}  // namespace holdall::engine
