#include "engine/cgroups.h"

#include <doctest/doctest.h>

#include "engine/world.h"

using namespace holdall;
using namespace holdall::engine;
namespace fs = std::filesystem;

namespace {

/// A directory that looks like a machine's /proc/self and /sys/fs/cgroup.
class Machine {
 public:
  Machine() {
    std::string pattern = "/tmp/holdall-groups-XXXXXX";
    root = mkdtemp(pattern.data());
  }
  ~Machine() { fs::remove_all(root); }
  Machine(const Machine&) = delete;

  void file(const fs::path& path, const std::string& text) const {
    fs::create_directories((root / path).parent_path());
    write_file_atomic(root / path, text);
  }
  /// A group of version 2 at `path` below /sys/fs/cgroup.
  void group(const fs::path& path, const std::string& controllers, const std::string& enabled,
             const std::string& processes) const {
    const fs::path group = "sys/fs/cgroup" / path;
    if (!path.empty()) file(group / "cgroup.type", "domain\n");
    file(group / "cgroup.controllers", controllers);
    file(group / "cgroup.subtree_control", enabled);
    file(group / "cgroup.procs", processes);
  }
  void version_2(const std::string& own) const {
    file("proc/mountinfo",
         "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
    file("proc/cgroup", "0::" + own + "\n");
  }
  ControlGroups groups() const { return ControlGroups(root / "proc", root); }

  fs::path root;
};

const InstanceId kId{"4f2a"};

Limits all_limits() {
  Limits limits;
  limits.memory = 64 << 20;
  limits.cpu_thousandths = 500;
  limits.processes = 20;
  return limits;
}

}  // namespace

TEST_CASE("with version 2, groups of instances lie beside the service's own, which has processes in it") {
  Machine machine;
  machine.version_2("/system.slice/holdall.service");
  machine.group("", "cpu io memory pids", "cpu io memory pids", "1\n2\n");
  machine.group("system.slice", "cpu io memory pids", "memory pids", "");
  machine.group("system.slice/holdall.service", "memory pids", "", "812\n813\n");
  ControlGroups groups = machine.groups();
  CHECK(groups.of(kId, all_limits()) ==
        std::vector<std::string>{machine.root / "sys/fs/cgroup/system.slice/holdall/4f2a"});
  CHECK(groups.unenforced(all_limits()).empty());
}

TEST_CASE("with version 2, a container's root with processes in it limits nothing, which is said") {
  Machine machine;
  machine.version_2("/");
  machine.group("", "cpu memory pids", "", "1\n");
  machine.file("sys/fs/cgroup/cgroup.type", "domain\n");
  ControlGroups groups = machine.groups();
  CHECK(groups.of(kId, all_limits()).size() == 1);
  CHECK(groups.unenforced(all_limits()) ==
        std::vector<std::string>{"the memory limit", "the CPU limit", "the limit of processes"});
}

TEST_CASE("with version 1, an instance has a group below our own in each hierarchy that limits it") {
  Machine machine;
  machine.file("proc/mountinfo",
               "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
               "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
               "37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n");
  machine.file("proc/cgroup", "4:memory:/shop\n3:cpu,cpuacct:/\n2:freezer:/\n");
  fs::create_directories(machine.root / "sys/fs/cgroup/memory/shop");
  fs::create_directories(machine.root / "sys/fs/cgroup/cpu,cpuacct");
  fs::create_directories(machine.root / "sys/fs/cgroup/freezer");
  ControlGroups groups = machine.groups();
  CHECK(groups.of(kId, all_limits()) ==
        std::vector<std::string>{machine.root / "sys/fs/cgroup/memory/shop/holdall/4f2a",
                                 machine.root / "sys/fs/cgroup/cpu,cpuacct/holdall/4f2a"});
  CHECK(groups.of(kId, {}).empty());
  CHECK(groups.unenforced(all_limits()) == std::vector<std::string>{"the limit of processes"});
}

TEST_CASE("where there are no control groups, no limit of them is enforced") {
  Machine machine;
  ControlGroups groups = machine.groups();
  CHECK(groups.of(kId, all_limits()).empty());
  CHECK(groups.unenforced(all_limits()).size() == 3);
  CHECK(groups.unenforced({}).empty());
}

TEST_CASE("limits are written in the words of the version that has them") {
  Machine machine;
  machine.version_2("/");
  machine.group("", "cpu memory pids", "cpu memory pids", "1\n");
  const fs::path two = machine.root / "sys/fs/cgroup/holdall/4f2a", one = machine.root / "one/holdall/4f2a";
  for (const char* file : {"memory.max", "memory.swap.max", "memory.low", "cpu.max", "pids.max"})
    machine.file(two.lexically_relative(machine.root) / file, "max");
  for (const char* file : {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "cpu.cfs_quota_us"})
    machine.file(one.lexically_relative(machine.root) / file, "-1");
  Limits limits = all_limits();
  limits.swap = 0;
  limits.reserved_memory = 1 << 20;
  make_groups({two, one}, limits);
  CHECK(read_file(two / "memory.max").starts_with("67108864"));
  CHECK(read_file(two / "memory.swap.max").starts_with("0"));
  CHECK(read_file(two / "memory.low").starts_with("1048576"));
  CHECK(read_file(two / "cpu.max").starts_with("50000 100000"));
  CHECK(read_file(two / "pids.max").starts_with("20"));
  CHECK(read_file(one / "memory.limit_in_bytes").starts_with("67108864"));
  CHECK(read_file(one / "memory.memsw.limit_in_bytes").starts_with("67108864"));
  CHECK(read_file(one / "cpu.cfs_quota_us").starts_with("50000"));
}

TEST_CASE("kills for want of memory are counted in both versions") {
  Machine machine;
  machine.file("two/memory.events", "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\n");
  machine.file("one/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  CHECK(memory_kills({machine.root / "two"}) == 2);
  CHECK(memory_kills({machine.root / "one"}) == 1);
  CHECK(memory_kills({machine.root / "gone"}) == 0);
}
