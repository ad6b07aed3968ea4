#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "cli/development.h"

namespace holdall::cli {

/// As find_stack; throws `missing` with the remedy where nothing runs.
Stack running_stack(const Globals& globals);

/// The instances of these services (none named: all) as GET /v1/apps/APP/WHAT tells them.
Json instances_of(Stack& stack, const std::string& what, const std::vector<std::string>& services);

/// "web.1".
std::string instance_name(const Json& instance);

/// "12.3MiB": as docker writes amounts of memory.
std::string memory_text(std::uint64_t bytes);

/// An instant as people write one: "10m" (so long before now), "2026-11-21", "2026-11-21T18:01:03Z" (UTC), or
/// seconds since 1970. Throws `invalid`.
WallTime parse_instant(const std::string& text, WallTime now);

}  // namespace holdall::cli
