#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/app.h"

namespace holdall::app {

/// As Go prints it: "1m30s", "48h0m0s", "100µs", "0s".
std::string print_duration(std::chrono::nanoseconds span);

/// "64k", "1.5 GiB", "100": a count of bytes with an optional unit of 1024, in any case. Nothing if it is
/// none.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// What explains to a person how the two are written.
inline constexpr const char* kDurationHint = "write a number with its unit, like 30s, 1m30s or 250ms";
inline constexpr const char* kBytesHint = "write a number of bytes with a unit, like 64k, 100M or 2G";

}  // namespace holdall::app
