#include "engine/cgroups.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"

namespace holdall::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBase = "holdall";

// Of the time in which a share of the processors is counted, in microseconds: the kernel's default.
constexpr std::uint64_t kCpuPeriod = 100'000;
// The least share that the kernel takes.
constexpr std::uint64_t kLeastQuota = 1'000;

std::set<std::string> words_of(const std::string& text, char separator) {
  std::set<std::string> words;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, separator);) {
    while (!word.empty() && (word.back() == '\n' || word.back() == ' ')) word.pop_back();
    if (!word.empty()) words.insert(word);
  }
  return words;
}

/// A file of the kernel's; nothing if it is not there or does not answer.
std::optional<std::string> content(const fs::path& path) {
  try {
    return read_file_if_exists(path);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// False with errno.
bool write_value(const fs::path& path, std::string_view value) {
  Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

struct Mount {
  fs::path root, point;
  bool unified = false;
  std::set<std::string> controllers;  ///< of version 1
};

/// "31 23 0:28 /root /point rw,relatime shared:1 - cgroup cgroup rw,memory"
std::vector<Mount> mounts(const std::string& mountinfo) {
  std::vector<Mount> found;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line), after(line.substr(dash + 3));
    std::string skipped, root, point, type, source, options;
    before >> skipped >> skipped >> skipped >> root >> point;
    after >> type >> source >> options;
    if (type != "cgroup" && type != "cgroup2") continue;
    found.push_back({root, point, type == "cgroup2", words_of(options, ',')});
  }
  return found;
}

/// Controllers to path, and "" to that of version 2: "4:memory:/user.slice", "0::/".
std::map<std::string, fs::path> own_groups(const std::string& text) {
  std::map<std::string, fs::path> groups;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) groups[""] = path;
    for (const std::string& controller : words_of(controllers, ',')) groups[controller] = path;
  }
  return groups;
}

/// Where a group of the hierarchy is seen here. In a namespace of groups it may be outside of what is
/// mounted.
fs::path seen_at(const fs::path& mounted_root, const fs::path& point, const fs::path& group) {
  fs::path below = group.lexically_relative(mounted_root);
  bool inside = !below.empty() && *below.begin() != "..";
  return (inside ? point / below : point).lexically_normal();
}

fs::path without_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

/// Which controllers children of `parent`, a group of version 2, can be given. The kernel's own root may have
/// processes beside them; no other group may.
std::set<std::string> controllers_below(const fs::path& parent) {
  std::set<std::string> enabled = words_of(content(parent / "cgroup.subtree_control").value_or(""), ' ');
  const bool is_root = !fs::exists(parent / "cgroup.type");
  if (is_root || content(parent / "cgroup.procs").value_or("").empty()) {
    enabled.merge(words_of(content(parent / "cgroup.controllers").value_or(""), ' '));
  }
  return enabled;
}

bool is_unified(const fs::path& group) { return fs::exists(group / "cgroup.controllers"); }

void make_group(const fs::path& group) {
  const fs::path base = group.parent_path(), above = base.parent_path();
  // Another server's last instance may take the base away between our two steps.
  for (int tries = 0; tries < 3; ++tries) {
    if (mkdir(base.c_str(), 0755) != 0 && errno != EEXIST) break;
    if (is_unified(above)) {
      for (const char* controller : {"+memory", "+cpu", "+pids"}) {
        write_value(above / "cgroup.subtree_control", controller);
        write_value(base / "cgroup.subtree_control", controller);
      }
    }
    if (mkdir(group.c_str(), 0755) == 0 || errno == EEXIST) return;
    if (errno != ENOENT) break;
  }
  throw_errno(Error::denied, "make the control group " + group.string(), errno);
}

/// Sets a limit where the group has a file for it.
void set(const fs::path& group, const char* file, const std::string& value) {
  const fs::path path = group / file;
  if (!fs::exists(path)) return;
  if (!write_value(path, value))
    throw_errno(Error::denied, fmt::format("write {} to {}", value, path.string()), errno);
}

std::string number_or_max(std::uint64_t number) {
  return number == kUnlimited ? "max" : std::to_string(number);
}

void set_memory(const fs::path& group, const Limits& limits) {
  if (limits.reserved_memory) {
    set(group, "memory.low", std::to_string(limits.reserved_memory));
    set(group, "memory.soft_limit_in_bytes", std::to_string(limits.reserved_memory));
  }
  if (!limits.memory) return;
  const std::uint64_t swap = limits.swap.value_or(limits.memory);
  set(group, "memory.max", std::to_string(limits.memory));
  set(group, "memory.swap.max", number_or_max(swap));
  set(group, "memory.limit_in_bytes", std::to_string(limits.memory));
  // Both together, in version 1, and so after the limit.
  set(group, "memory.memsw.limit_in_bytes", swap == kUnlimited ? "-1" : std::to_string(limits.memory + swap));
}

void set_limits(const fs::path& group, const Limits& limits) {
  set_memory(group, limits);
  if (limits.cpu_thousandths) {
    const std::uint64_t quota = std::max(kLeastQuota, limits.cpu_thousandths * kCpuPeriod / 1000);
    set(group, "cpu.max", fmt::format("{} {}", quota, kCpuPeriod));
    set(group, "cpu.cfs_quota_us", std::to_string(quota));
  }
  if (limits.processes) set(group, "pids.max", std::to_string(limits.processes));
}

}  // namespace

ControlGroups::ControlGroups(const fs::path& proc, const fs::path& root) {
  const auto own = own_groups(content(proc / "cgroup").value_or(""));
  for (const Mount& mount : mounts(content(proc / "mountinfo").value_or(""))) {
    const fs::path point = root / mount.point.relative_path();
    Hierarchy hierarchy{.unified = mount.unified};
    fs::path parent;
    if (mount.unified) {
      const auto group = own.find("");
      if (group == own.end()) continue;
      const fs::path here = without_slash(seen_at(mount.root, point, group->second));
      parent = here == without_slash(point) ? here : here.parent_path();
      const std::set<std::string> controllers = controllers_below(parent);
      hierarchy.memory = controllers.contains("memory");
      hierarchy.cpu = controllers.contains("cpu");
      hierarchy.processes = controllers.contains("pids");
    } else {
      hierarchy.memory = mount.controllers.contains("memory");
      hierarchy.cpu = mount.controllers.contains("cpu");
      hierarchy.processes = mount.controllers.contains("pids");
      const auto group = std::ranges::find_if(
          own, [&](const auto& entry) { return mount.controllers.contains(entry.first); });
      if (group == own.end()) continue;
      parent = without_slash(seen_at(mount.root, point, group->second));
      if (!hierarchy.memory && !hierarchy.cpu && !hierarchy.processes) continue;
    }
    if (access(parent.c_str(), W_OK) != 0) continue;
    hierarchy.base = parent / kBase;
    hierarchies_.push_back(std::move(hierarchy));
  }
}

std::vector<std::string> ControlGroups::of(const InstanceId& id, const Limits& limits) const {
  std::vector<std::string> groups;
  for (const Hierarchy& each : hierarchies_) {
    const bool needed = (each.memory && (limits.memory || limits.reserved_memory)) ||
                        (each.cpu && limits.cpu_thousandths) || (each.processes && limits.processes);
    // The one of version 2 costs little, and tells which processes are the instance's.
    if (needed || each.unified) groups.push_back(each.base / id.value);
  }
  return groups;
}

std::vector<std::string> ControlGroups::unenforced(const Limits& limits) const {
  const auto none = [&](bool Hierarchy::* controller) {
    return std::ranges::none_of(hierarchies_, [&](const Hierarchy& each) { return each.*controller; });
  };
  std::vector<std::string> missing;
  if (limits.memory && none(&Hierarchy::memory)) missing.emplace_back("the memory limit");
  if (limits.reserved_memory && none(&Hierarchy::memory)) missing.emplace_back("the memory reservation");
  if (limits.cpu_thousandths && none(&Hierarchy::cpu)) missing.emplace_back("the CPU limit");
  if (limits.processes && none(&Hierarchy::processes)) missing.emplace_back("the limit of processes");
  return missing;
}

void make_groups(const std::vector<std::string>& groups, const Limits& limits) {
  for (const std::string& group : groups) {
    make_group(group);
    set_limits(group, limits);
  }
}

std::vector<Fd> open_groups(const std::vector<std::string>& groups) {
  std::vector<Fd> opened;
  for (const std::string& group : groups) {
    const std::string path = group + "/cgroup.procs";
    opened.emplace_back(checked(open(path.c_str(), O_WRONLY | O_CLOEXEC), "open " + path));
  }
  return opened;
}

std::vector<pid_t> processes_in(const std::vector<std::string>& groups) {
  std::set<pid_t> pids;
  for (const std::string& group : groups) {
    for (const std::string& pid : words_of(content(group + "/cgroup.procs").value_or(""), '\n')) {
      // 0 stands for one that is in a namespace of processes that we do not see.
      if (pid_t number = std::atoi(pid.c_str()); number > 0) pids.insert(number);
    }
  }
  return {pids.begin(), pids.end()};
}

std::uint64_t memory_kills(const std::vector<std::string>& groups) {
  std::uint64_t kills = 0;
  for (const std::string& group : groups) {
    for (const char* file : {"/memory.events", "/memory.oom_control"}) {
      std::istringstream lines(content(group + file).value_or(""));
      std::string name;
      std::uint64_t count = 0;
      while (lines >> name >> count) {
        if (name == "oom_kill") kills += count;
      }
    }
  }
  return kills;
}

bool remove_groups(const std::vector<std::string>& groups) {
  bool gone = true;
  for (const std::string& group : groups) {
    if (rmdir(group.c_str()) != 0 && errno == EBUSY) gone = false;
    // The base stays while others have groups in it, which is no error.
    rmdir(fs::path(group).parent_path().c_str());
  }
  return gone;
}

}  // namespace holdall::engine
