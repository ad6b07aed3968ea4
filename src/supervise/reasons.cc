#include "supervise/reasons.h"

#include <fmt/format.h>
#include <signal.h>

#include <array>

namespace holdall::supervise {
namespace {

/// "512 MiB": in the largest unit in which it is a whole number.
std::string size(std::uint64_t bytes) {
  constexpr std::array kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{} {}", bytes, kUnits[unit]);
}

std::string want_of_memory(const engine::Limits& limits) {
  if (limits.memory == 0) return "the machine has no memory left";
  return fmt::format("over its {} limit", size(limits.memory));
}

}  // namespace

std::string reason_of_end(const Group& group, const Try& row, const engine::Instance* seen, Instant now) {
  if (!seen) return row.this_boot ? "vanished: nobody knows how it ended" : "the machine was restarted";
  if (!seen->exit) return seen->failure.empty() ? "nobody knows how it ended" : seen->failure;
  const std::string when = text(now - seen->executed.value_or(row.made_at));
  const std::string kernel = want_of_memory(group.workload.limits);
  if (seen->memory_kills > 0 && seen->exit->signal == SIGKILL)
    return fmt::format("killed by the kernel: {}, {} after start", kernel, when);
  std::string reason = fmt::format("{}, {} after start", text(*seen->exit), when);
  if (seen->memory_kills > 0) reason += fmt::format("; the kernel killed a process of it: {}", kernel);
  return reason;
}

}  // namespace holdall::supervise
