#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace holdall::engine {

/// What /proc says of these processes; those that end meanwhile are left out, and so are those that are
/// executed from `own`: shims.
std::vector<ProcessInfo> describe(const std::vector<pid_t>& pids, const std::filesystem::path& own);

/// What they use together.
Usage usage_of(const std::vector<pid_t>& pids, const std::filesystem::path& own);

/// What the kernel has counted in these control groups, in the place of what was added up; a group that
/// counts nothing of a kind changes nothing.
void take_counts(const std::vector<std::string>& groups, Usage& usage);

}  // namespace holdall::engine
