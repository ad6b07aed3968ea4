#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/id.h"
#include "engine/engine.h"

namespace holdall::engine {

/// Where the kernel counts and limits what an instance uses: one group of its own in every hierarchy that is
/// needed and that we may write to, of version 1 and 2 (docs/supervision.md). Groups lie beside our own in
/// version 2, where a group with processes in it may have no limited ones below, and below our own in
/// version 1. Immutable.
class ControlGroups {
 public:
  /// `proc` and `root` are /proc/self and / but in tests.
  explicit ControlGroups(const std::filesystem::path& proc = "/proc/self",
                         const std::filesystem::path& root = "/");

  /// The groups that an instance gets. Nothing is made yet.
  std::vector<std::string> of(const InstanceId& id, const Limits& limits) const;

  /// Which of these limits no group enforces: "the memory limit". Empty: all are.
  std::vector<std::string> unenforced(const Limits& limits) const;

 private:
  struct Hierarchy {
    std::filesystem::path base;  ///< below it each instance has a group
    bool memory = false, cpu = false, processes = false;
    bool unified = false;
  };

  std::vector<Hierarchy> hierarchies_;
};

// What follows needs the paths alone, which an instance's record keeps: they stay right when Holdall is
// started from another group.

/// Makes the groups and sets what of `limits` each has a file for. Throws `denied` or `busy`.
void make_groups(const std::vector<std::string>& groups, const Limits& limits);

/// A process that writes "0" to each is in the groups.
std::vector<Fd> open_groups(const std::vector<std::string>& groups);

std::vector<pid_t> processes_in(const std::vector<std::string>& groups);

/// How many processes of the groups the kernel has killed for want of memory.
std::uint64_t memory_kills(const std::vector<std::string>& groups);

/// False while there is a process left in one. Groups that are gone are no error.
bool remove_groups(const std::vector<std::string>& groups);

}  // namespace holdall::engine
