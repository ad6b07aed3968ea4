#include "engine/heartbeat.h"

#include <doctest/doctest.h>

#include "engine/world.h"

using namespace holdall;
using namespace holdall::engine;

TEST_CASE(
    "a file is seen as the instance sees it: in its home, by its own namespace, and anew at each touch") {
  World world;
  if (geteuid() == 0) world.workload.uid = 230'004;
  world.workload.environment["HOME"] = "";
  if (geteuid() == 0) world.workload.environment.erase("HOME");
  const std::string place = geteuid() == 0 ? "beat" : (world.directory() / "beat").string();
  InstanceId id = world.start({"/bin/sh", "-c", "cd; touch " + place + "; echo one; exec sleep 1000"});
  REQUIRE(world.await_line(id, "one"));
  const std::string once = world.engine->touched(id, place);
  CHECK_FALSE(once.empty());
  CHECK(world.engine->touched(id, place) == once);
  world.engine->exec(id, {"/bin/sh", "-c", "cd; echo more >> " + place}, Deadline::never());
  CHECK(world.engine->touched(id, place) != once);
}

TEST_CASE("what is no file does not beat: nothing, a directory, a device, a way out through /proc") {
  World world;
  InstanceId id = world.start({"/bin/sleep", "1000"});
  REQUIRE(world.await_state(id, State::running));
  for (const char* path : {"/no/such/file", "/tmp", "/dev/null", "/proc/self/cwd/sub/greeting"})
    CHECK(world.engine->touched(id, path).empty());
  CHECK_FALSE(world.engine->touched(id, "/etc/passwd").empty());
}

TEST_CASE("an instance that has ended has no files") {
  World world;
  InstanceId id = world.start({"/bin/true"});
  world.await_end(id);
  world.stop(id);
  REQUIRE(world.await_gone(id));
  CHECK_THROWS_AS(world.engine->touched(id, "/etc/passwd"), Error);
}
