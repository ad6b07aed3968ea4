#include "engine/processes.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>

#include "base/files.h"

namespace holdall::engine {
namespace {

struct Process {
  pid_t pid = 0, parent = 0, session = 0;
  char state = 'R';
  Instant started;
};

std::optional<Process> look_at(pid_t pid) {
  std::optional<std::string> stat;
  try {
    stat = read_file_if_exists(fmt::format("/proc/{}/stat", pid));
  } catch (const std::exception&) {
    // It ended while it was read: "no such process", which no file ever says.
  }
  if (!stat) return std::nullopt;
  // The name may hold anything; its last parenthesis ends it. Fields after it: state, parent, group, session
  // and, as the 22nd of all, the start in ticks since boot.
  std::size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  Process process{.pid = pid};
  unsigned long long ticks = 0;
  int fields = std::sscanf(stat->c_str() + name_end + 1,
                           " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                           &process.state, &process.parent, &process.session, &ticks);
  if (fields != 4) return std::nullopt;
  auto per_second = static_cast<unsigned long long>(sysconf(_SC_CLK_TCK));
  process.started = Instant(std::chrono::nanoseconds(ticks * (1'000'000'000 / per_second)));
  return process;
}

std::vector<pid_t> all_pids() {
  std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir("/proc"), closedir);
  std::vector<pid_t> pids;
  while (dirent* entry = listing ? readdir(listing.get()) : nullptr) {
    if (pid_t pid = std::atoi(entry->d_name); pid > 0) pids.push_back(pid);
  }
  return pids;
}

std::vector<pid_t> in_namespace(std::uint64_t inode) {
  std::vector<pid_t> found;
  for (pid_t pid : all_pids()) {
    struct stat space;
    if (stat(fmt::format("/proc/{}/ns/pid", pid).c_str(), &space) != 0 || space.st_ino != inode) continue;
    auto process = look_at(pid);
    if (process && process->state != 'Z') found.push_back(pid);
  }
  return found;
}

/// Whether one of its descriptors is the writing end of one of the pipes. Serve and control hold the reading
/// ends.
bool writes_into(pid_t pid, const std::vector<std::uint64_t>& pipes) {
  std::string directory = fmt::format("/proc/{}/fd", pid);
  std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(directory.c_str()), closedir);
  while (dirent* entry = listing ? readdir(listing.get()) : nullptr) {
    struct stat link;
    std::string path = fmt::format("{}/{}", directory, entry->d_name);
    std::array<char, 64> target{};
    unsigned long long inode;
    // The text of the link: to follow it could wait for a file server that is away. Its mode tells how it was
    // opened.
    if (readlink(path.c_str(), target.data(), target.size() - 1) > 0 &&
        std::sscanf(target.data(), "pipe:[%llu]", &inode) == 1 &&
        std::ranges::find(pipes, inode) != pipes.end() && lstat(path.c_str(), &link) == 0 &&
        (link.st_mode & S_IWUSR)) {
      return true;
    }
  }
  return false;
}

std::vector<pid_t> in_session(const Tree& tree) {
  // The program began a moment after its tree was written; a leader that began later is somebody else's.
  constexpr auto kMoment = std::chrono::seconds(2);
  auto leader = static_cast<pid_t>(tree.number);
  std::vector<Process> processes;
  for (pid_t pid : all_pids()) {
    if (auto process = look_at(pid)) processes.push_back(*process);
  }
  bool reused = std::ranges::any_of(processes, [&](const Process& process) {
    return process.pid == leader && process.started > tree.started + kMoment;
  });
  std::set<pid_t> members;
  for (const Process& process : processes) {
    if (process.session == leader && !reused) members.insert(process.pid);
    if (writes_into(process.pid, tree.pipes)) members.insert(process.pid);
  }
  for (bool grew = true; grew;) {
    grew = false;
    for (const Process& process : processes) {
      if (members.contains(process.parent)) grew |= members.insert(process.pid).second;
    }
  }
  std::erase_if(processes, [&](const Process& process) {
    return !members.contains(process.pid) || process.state == 'Z';
  });
  std::vector<pid_t> found;
  for (const Process& process : processes) found.push_back(process.pid);
  return found;
}

}  // namespace

std::vector<pid_t> processes_of(const Tree& tree) {
  return tree.kind == Tree::session ? in_session(tree) : in_namespace(tree.number);
}

}  // namespace holdall::engine
