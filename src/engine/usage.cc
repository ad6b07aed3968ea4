#include "engine/usage.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/files.h"

namespace holdall::engine {
namespace {

std::optional<std::string> read_of(pid_t pid, const char* name) {
  try {
    return read_file_if_exists(fmt::format("/proc/{}/{}", pid, name));
  } catch (const Error&) {
    return std::nullopt;  // it ended while it was read
  }
}

std::chrono::nanoseconds ticks(unsigned long long count) {
  constexpr unsigned long long kSecond = 1'000'000'000;
  return std::chrono::nanoseconds(count * (kSecond / static_cast<unsigned long long>(sysconf(_SC_CLK_TCK))));
}

/// Of a line "NAME: 12 kB" or "NAME: 12 34"; 0 where there is none.
std::uint64_t number_in(const std::string& status, const char* name) {
  std::size_t at = status.find(name);
  unsigned long long value = 0;
  if (at != status.npos) std::sscanf(status.c_str() + at + std::strlen(name), " %llu", &value);
  return value;
}

struct Looked {
  ProcessInfo info;
  std::chrono::nanoseconds children{0};  ///< CPU of those that it has waited for
  std::uint64_t memory = 0;
};

std::optional<Looked> look_at(pid_t pid, const std::string& own) {
  auto stat = read_of(pid, "stat"), status = read_of(pid, "status"), argv = read_of(pid, "cmdline");
  if (!stat || !status || !argv || argv->starts_with(own)) return std::nullopt;
  // The name may hold anything; its last parenthesis ends it.
  std::size_t name_begin = stat->find('('), name_end = stat->rfind(')');
  if (name_end == stat->npos) return std::nullopt;
  unsigned long long user = 0, system = 0, started = 0;
  long long waited_user = 0, waited_system = 0;
  Looked looked;
  looked.info.pid = pid;
  char state = 'R';
  int fields =
      std::sscanf(stat->c_str() + name_end + 1,
                  " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %*d %*d %llu",
                  &state, &looked.info.parent, &user, &system, &waited_user, &waited_system, &started);
  constexpr int kFields = 7;
  if (fields != kFields || state == 'Z') return std::nullopt;
  looked.info.uid = static_cast<std::uint32_t>(number_in(*status, "\nUid:"));
  looked.info.started = Instant(ticks(started));
  looked.info.cpu = ticks(user + system);
  looked.children = ticks(static_cast<unsigned long long>(waited_user + waited_system));
  looked.memory = (number_in(*status, "\nRssAnon:") + number_in(*status, "\nRssShmem:")) << 10;
  while (argv->ends_with('\0')) argv->pop_back();
  std::ranges::replace(*argv, '\0', ' ');
  looked.info.command = argv->empty() ? stat->substr(name_begin, name_end + 1 - name_begin) : *argv;
  return looked;
}

std::vector<Looked> look_at(const std::vector<pid_t>& pids, const std::filesystem::path& own) {
  std::vector<Looked> found;
  for (pid_t pid : pids) {
    if (auto looked = look_at(pid, own.string() + "/")) found.push_back(std::move(*looked));
  }
  return found;
}

}  // namespace

std::vector<ProcessInfo> describe(const std::vector<pid_t>& pids, const std::filesystem::path& own) {
  std::vector<ProcessInfo> all;
  for (Looked& looked : look_at(pids, own)) all.push_back(std::move(looked.info));
  std::ranges::sort(all, {}, &ProcessInfo::pid);
  return all;
}

Usage usage_of(const std::vector<pid_t>& pids, const std::filesystem::path& own) {
  Usage usage;
  for (const Looked& looked : look_at(pids, own)) {
    usage.cpu += looked.info.cpu + looked.children;
    usage.memory += looked.memory;
    ++usage.processes;
  }
  return usage;
}

void take_counts(const std::vector<std::string>& groups, Usage& usage) {
  auto read = [](const std::string& group, const char* name) -> std::optional<std::string> {
    try {
      if (auto text = read_file_if_exists(group + "/" + name)) return "\n" + *text;
    } catch (const Error&) {
      // The group went with its instance.
    }
    return std::nullopt;
  };
  // Names of version 2, then of version 1.
  for (const std::string& group : groups) {
    if (auto stat = read(group, "cpu.stat"); stat && stat->find("\nusage_usec ") != stat->npos)
      usage.cpu = std::chrono::microseconds(number_in(*stat, "\nusage_usec"));
    if (auto all = read(group, "cpuacct.usage")) usage.cpu = std::chrono::nanoseconds(number_in(*all, "\n"));
    for (auto [current, of_files] : {std::pair("memory.current", "\ninactive_file"),
                                     std::pair("memory.usage_in_bytes", "\ntotal_inactive_file")}) {
      auto bytes = read(group, current), stat = read(group, "memory.stat");
      if (!bytes || !stat) continue;
      std::uint64_t used = number_in(*bytes, "\n");
      usage.memory = used - std::min(used, number_in(*stat, of_files));
    }
  }
}

}  // namespace holdall::engine
