#pragma once

#include <string>

#include "supervise/rows.h"
#include "supervise/supervise.h"

namespace holdall::supervise {

/// Why the try ended, for people: "exited with code 3, 120 ms after start", "killed by the kernel: over its
/// 512 MiB limit, 1.4 s after start". `seen` is what the engine shows of it; null: it shows nothing.
std::string reason_of_end(const Group& group, const Try& row, const engine::Instance* seen, Instant now);

}  // namespace holdall::supervise
