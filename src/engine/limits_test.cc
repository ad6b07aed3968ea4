#include "engine/limits.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "engine/cgroups.h"
#include "engine/world.h"

using namespace holdall;
using namespace holdall::engine;

namespace {

/// Whether this machine enforces them; where it does not, there is nothing to see.
bool enforced(const World& world) { return world.engine->unenforced(world.workload.limits).empty(); }

std::vector<std::string> groups_of(const World& world, const InstanceId& id) {
  return InstanceDir(world.run() / "i" / id.value).record().value().groups;
}

bool any_exists(const std::vector<std::string>& groups) {
  return std::ranges::any_of(groups, [](const std::string& group) { return std::filesystem::exists(group); });
}

}  // namespace

TEST_CASE("an instance over its memory is killed by the kernel, and that is told apart from other kills") {
  World world;
  world.workload.limits.memory = 32 << 20;
  world.workload.limits.swap = 0;
  if (!enforced(world)) return;
  InstanceId id = world.start({"/usr/bin/python3", "-c", "b = bytearray(200 << 20)"});
  Instance ended = world.await_end(id);
  REQUIRE(ended.exit);
  CHECK(ended.exit->signal == SIGKILL);
  CHECK(ended.memory_kills == 1);
  InstanceId other = world.start({"/bin/sh", "-c", "kill -9 $$"});
  CHECK(world.await_end(other).memory_kills == 0);
}

TEST_CASE("a fork bomb meets the limit of processes of its own instance") {
  World world;
  world.workload.limits.processes = 10;
  if (!enforced(world)) return;
  InstanceId id = world.start({"/usr/bin/python3", "-c",
                               "import os, sys, time\n"
                               "made = 0\n"
                               "try:\n"
                               "  while True:\n"
                               "    if os.fork() == 0: time.sleep(1000)\n"
                               "    made += 1\n"
                               "except OSError: print('made', made, flush=True)\n"
                               "time.sleep(1000)\n"});
  CHECK(world.await_line(id, "made 9"));
  CHECK(processes_in(groups_of(world, id)).size() == 10);
}

TEST_CASE("a command beside an instance counts as the instance's") {
  World world;
  world.workload.limits.processes = 20;
  if (!enforced(world)) return;
  InstanceId id = world.start({"/bin/sleep", "1000"});
  REQUIRE(world.await([&] { return world.observed(id)->executed && world.engine->observe().size() == 1; }));
  REQUIRE(world.await([&] {
    world.engine->observe();
    return !processes_in(groups_of(world, id)).empty();
  }));
  const std::string pids = groups_of(world, id).back() + "/cgroup.procs";
  Output said = world.engine->exec(id, {"/bin/cat", pids}, Deadline::after(std::chrono::seconds(10)));
  CHECK(said.exit.ok());
  CHECK(std::ranges::count(said.out, '\n') == 2);
}

TEST_CASE("the groups of an instance go with it, also when its shim is killed") {
  World world;
  world.workload.limits.processes = 20;
  world.workload.limits.memory = 64 << 20;
  if (!enforced(world)) return;
  InstanceId stopped = world.start({"/bin/sleep", "1000"}), killed = world.start({"/bin/sleep", "1000"});
  REQUIRE(world.await_state(stopped, State::running));
  REQUIRE(world.await_state(killed, State::running));
  std::vector<std::string> groups = groups_of(world, stopped), others = groups_of(world, killed);
  CHECK(any_exists(groups));
  world.stop(stopped);
  CHECK(world.await_gone(stopped));
  CHECK_FALSE(any_exists(groups));
  World::kill_shim(killed);
  CHECK(world.await_end(killed).failure == "its shim was killed");
  world.stop(killed);
  CHECK(world.await_gone(killed));
  CHECK_FALSE(any_exists(others));
}

TEST_CASE("the next control finds an instance's groups again, and takes them away in the end") {
  World world;
  world.workload.limits.processes = 20;
  if (!enforced(world)) return;
  InstanceId id = world.start({"/bin/sleep", "1000"});
  REQUIRE(world.await_state(id, State::running));
  std::vector<std::string> groups = groups_of(world, id);
  world.restart_control();
  CHECK(world.observed(id)->state == State::running);
  CHECK(any_exists(groups));
  world.stop(id);
  CHECK(world.await_gone(id));
  CHECK_FALSE(any_exists(groups));
}

TEST_CASE("ulimits hold in the program, as far as the machine allows them") {
  World world;
  world.workload.limits.ulimits = {{"nofile", 64, 128}, {"core", 0, 0}};
  InstanceId id = world.start({"/bin/sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -Hc"});
  world.await_end(id);
  CHECK(world.lines(id) == std::vector<std::string>{"64", "128", "0"});
  CHECK(world.engine->unenforced(world.workload.limits).empty());
}

TEST_CASE("a ulimit beyond what the machine gives is said") {
  World world;
  Limits limits;
  limits.ulimits = {{"nofile", kUnlimited, kUnlimited}};
  auto said = world.engine->unenforced(limits);
  REQUIRE(said.size() == 1);
  CHECK(said[0].starts_with("ulimit nofile of unlimited is "));
}

TEST_CASE("the score by which the kernel chooses whom to kill is the instance's own") {
  World world;
  world.workload.limits.oom_score_adj = 300;
  if (!enforced(world)) return;
  InstanceId id = world.start({"/bin/cat", "/proc/self/oom_score_adj"});
  world.await_end(id);
  CHECK(world.lines(id) == std::vector<std::string>{"300"});
}

TEST_CASE("limits are kept as JSON") {
  Limits limits{.memory = 1,
                .swap = kUnlimited,
                .reserved_memory = 2,
                .cpu_thousandths = 3,
                .processes = 4,
                .ulimits = {{"nofile", 5, kUnlimited}},
                .oom_score_adj = -6};
  CHECK(parse_limits(to_json(limits)) == limits);
  CHECK(parse_limits(to_json(Limits())) == Limits());
}
