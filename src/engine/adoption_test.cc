#include <doctest/doctest.h>
#include <fcntl.h>

#include "engine/world.h"

namespace holdall::engine {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> numbers(int last) {
  std::vector<std::string> texts;
  for (int i = 1; i <= last; ++i) texts.push_back(std::to_string(i));
  return texts;
}

/// The numbered lines of a stream, whole: 1, 2, 3 ... without a gap.
bool contiguous(const std::vector<std::string>& lines) {
  auto expected = numbers(static_cast<int>(lines.size()));
  return lines == expected;
}

TEST_CASE("a new control finds what runs, and can stop it") {
  World world;
  InstanceId id = world.start({"sh", "-c", "echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  Instance before = *world.observed(id);
  world.restart_control();
  Instance after = *world.observed(id);
  CHECK(after.state == State::running);
  CHECK(after.executed == before.executed);
  CHECK(after.group == before.group);
  CHECK(world.engine->exec(id, {"echo", "here"}, Deadline::after(10s)).out == "here\n");
  world.stop(id);
  CHECK(world.await_gone(id));
}

TEST_CASE("a stop goes on while control is dead") {
  World world;
  world.workload.stop_grace = 300ms;
  InstanceId id = world.start({"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"});
  REQUIRE(world.await_line(id, "ready"));
  world.stop(id);
  world.restart_control();
  CHECK(world.observed(id)->state == State::stopping);
  CHECK(world.await_end(id).exit == Exit{.signal = SIGKILL});
}

TEST_CASE("how an instance ended while control was dead is known afterwards") {
  World world;
  std::string gate = world.directory() / "gate";
  REQUIRE(mkfifo(gate.c_str(), 0600) == 0);
  InstanceId id = world.start({"sh", "-c", "echo ready; read line < " + gate + "; exit 4"});
  REQUIRE(world.await_line(id, "ready"));
  world.engine.reset();
  // Opens when the program reads there, and lets it end with nobody watching.
  {
    Fd open_gate(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  }
  while (!std::filesystem::exists(world.run() / "i" / id.value / "exit")) usleep(1000);
  world.restart_control();
  Instance ended = world.observed(id).value();
  CHECK(ended.exit == Exit{.code = 4});
  CHECK(ended.executed.has_value());
}

TEST_CASE("an instance whose shim is killed ends at once and loses no line of what it had said") {
  World world;
  constexpr int kLines = 100'000;
  InstanceId id =
      world.start({"sh", "-c", "seq " + std::to_string(kLines) + "; echo done >&2; exec sleep 3600"});
  REQUIRE(world.await([&] {
    world.engine->observe();
    return !world.lines(id, logs::Stream::err).empty();
  }));
  World::kill_shim(id);
  Instance ended = world.await_end(id);
  CHECK(ended.failure == "its shim was killed");
  CHECK(ended.executed.has_value());
  CHECK(world.lines(id) == numbers(kLines));
}

TEST_CASE("a shim killed in the middle of a stream leaves no gap in it") {
  World world;
  for (int round = 1; round <= 20; ++round) {
    InstanceId id = world.start({"sh", "-c", "i=1; while :; do echo $i; i=$((i+1)); done"});
    auto said = [&] { return logs::end(world.logs_of(id)).out; };
    REQUIRE(world.await([&] { return said() > 5000U * static_cast<unsigned>(round); }));
    World::kill_shim(id);
    REQUIRE(world.await_end(id).failure == "its shim was killed");
    auto lines = world.lines(id);
    CHECK(lines.back().find_first_not_of("0123456789") == std::string::npos);
    lines.pop_back();  // cut where its program was killed
    CHECK(lines.size() > 1000);
    CHECK(contiguous(lines));
    world.stop(id);
  }
}

TEST_CASE("shim and control killed together lose no line either") {
  World world;
  InstanceId id = world.start({"sh", "-c", "seq 1 20000; exec sleep 3600"});
  REQUIRE(world.await_line(id, "1"));
  World::kill_shim(id);
  world.restart_control();
  const Instance ended = world.await_end(id);
  CHECK(ended.failure == "its shim was killed");
  CHECK(ended.executed);  // else it would count as one that never started, and wait longer each time
  auto lines = world.lines(id);
  CHECK(contiguous(lines));
  CHECK(world.processes_with(id.value).empty());
}

TEST_CASE("a start that never came to its program is started again under the same id") {
  World world;
  InstanceId id{random_id()};
  std::filesystem::create_directory(world.run() / "i" / id.value);
  world.restart_control();
  CHECK(world.engine->observe().empty());
  world.workload.command = {"true"};
  world.want("shop/web@v1", {{.id = id}});
  CHECK(world.await_end(id).exit == Exit{.code = 0});
}

TEST_CASE("what ran before a reboot has ended") {
  World world;
  InstanceId id{random_id()};
  InstanceDir dir(world.run() / "i" / id.value);
  std::filesystem::create_directory(dir.path());
  dir.write(Record{.id = id, .group = {"shop/web@v1"}, .logs = world.logs_of(id), .boot_id = "another"});
  write_file_atomic(dir.path() / "tree", "session 1 1\n");
  world.restart_control();
  Instance instance = world.observed(id).value();
  CHECK(instance.state == State::exited);
  CHECK(instance.failure == "the machine restarted");
  world.want("shop/web@v1", {});
  CHECK(world.await_gone(id));
}

TEST_CASE("a replacement for a killed shim starts only when the whole tree is gone") {
  World world;
  std::string mark = "3600.3" + std::to_string(getpid());
  world.workload.command = {
      "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do setsid sleep " + mark + " & done; echo ready; wait"};
  InstanceId first{random_id()}, second{random_id()};
  world.want("shop/web@v1", {{.id = first}});
  REQUIRE(world.await_line(first, "ready"));
  REQUIRE(World::processes_with(mark).size() >= 8);
  World::kill_shim(first);
  world.want("shop/web@v1", {{.id = second}});
  REQUIRE(world.await_state(second, State::running));
  REQUIRE(world.await_line(second, "ready"));
  CHECK(world.await([&] { return World::processes_with(mark).size() == 9; }));
}

}  // namespace
}  // namespace holdall::engine
