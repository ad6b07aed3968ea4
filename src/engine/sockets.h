#pragma once

#include <sys/types.h>

#include <vector>

#include "engine/engine.h"

namespace holdall::engine {

/// The TCP sockets on which these processes listen now. A process that ends meanwhile, or may not be looked
/// at, has none.
std::vector<Listener> listening(const std::vector<pid_t>& processes);

}  // namespace holdall::engine
