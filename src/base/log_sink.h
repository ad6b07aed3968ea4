#pragma once

#include <string>

namespace holdall::log {

/// Brings `line`, which ends in a newline, to stderr: whole, after those that came before, or counted as
/// lost. Thread-safe.
void deliver(std::string line);

/// The line that says how many were lost; made by log.cc, which knows the format.
std::string lost_line(std::size_t count);

}  // namespace holdall::log
