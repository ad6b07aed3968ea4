#pragma once

#include <string>
#include <vector>

#include "app/app.h"

namespace holdall::app {

/// The services of one circle of dependencies, the first one again at the end; empty if there is none.
std::vector<std::string> find_cycle(const App& app);

}  // namespace holdall::app
