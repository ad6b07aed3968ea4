#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "engine/world.h"

namespace holdall::engine {
namespace {

using namespace std::chrono_literals;

TEST_CASE("an instance runs in its artefact and its output is on the disk when it has ended") {
  World world;
  InstanceId id = world.start({"cat", "sub/greeting"});
  Instance ended = world.await_end(id);
  CHECK(ended.exit == Exit{.code = 0});
  CHECK(ended.failure == "");
  CHECK(ended.executed.has_value());
  CHECK(world.lines(id) == std::vector<std::string>{"hello from the artefact"});
}

TEST_CASE("an exit code, a signal and the other stream are kept apart") {
  World world;
  InstanceId failed = world.start({"sh", "-c", "echo oops >&2; exit 3"});
  InstanceId killed = world.start({"sh", "-c", "kill -SEGV $$"});
  CHECK(world.await_end(failed).exit == Exit{.code = 3});
  CHECK(world.lines(failed, logs::Stream::err) == std::vector<std::string>{"oops"});
  CHECK(world.lines(failed, logs::Stream::out).empty());
  CHECK(world.await_end(killed).exit->signal == SIGSEGV);
}

TEST_CASE("a run directory too long for the sockets of instances is refused at once, with the remedy") {
  World world;
  std::filesystem::path deep = world.directory() / std::string(60, 'x');
  auto make = [&] {
    return make_process_engine({world.state(), deep}, world.keeper, world.secrets, system_clock());
  };
  CHECK_THROWS_WITH_AS(make(), doctest::Contains("set HOLDALL_API to a shorter path"), Error);
}

TEST_CASE("a program that cannot be executed says why") {
  World world;
  CHECK(world.await_end(world.start({"app.py"})).failure ==
        "cannot execute app.py: No such file or directory (looked for on its PATH)");
  CHECK(world.await_end(world.start({"./sub"})).failure == "cannot execute ./sub: Permission denied");
  CHECK(world.await_end(world.start({"./sub/nothing"})).failure ==
        "cannot execute ./sub/nothing: No such file or directory");
  world.workload.working_dir = "absent";
  Instance lost = world.await_end(world.start({"true"}));
  CHECK(lost.failure.starts_with("cannot enter "));
  CHECK(lost.failure.ends_with("/absent: No such file or directory"));
  CHECK_FALSE(lost.executed.has_value());
}

TEST_CASE("an artefact that is not there is the reason why an instance did not start") {
  World world;
  world.workload.artefact = {"sha256:" + std::string(64, '0')};
  Instance ended = world.await_end(world.start({"true"}));
  CHECK(ended.failure ==
        "its artefact sha256:" + std::string(64, '0') + " is not on this server: deploy it again");
}

TEST_CASE("the environment is what is declared, and the names of the instance where that does not say") {
  World world;
  world.workload.environment = {{"GREETING", "two words"}, {"HOME", "/declared"}, {"HOSTNAME", "fixed"}};
  world.workload.command = {"env"};
  InstanceId id{random_id()};
  world.want("shop/web@v1", {{.id = id, .slot = 1, .port = 23456}});
  world.await_end(id);
  auto lines = world.lines(id);
  std::ranges::sort(lines);
  CHECK(lines == std::vector<std::string>{"GREETING=two words", "HOLDALL_APP=shop", "HOLDALL_INSTANCE=web.1",
                                          "HOLDALL_SERVICE=web", "HOME=/declared", "HOSTNAME=fixed",
                                          "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "PORT=23456"});
}

TEST_CASE("a program starts with no descriptor but the three and with fresh signals") {
  World world;
  InstanceId id =
      world.start({"sh", "-c", "ls /proc/self/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status; umask"});
  world.await_end(id);
  // 3 is the directory that ls reads.
  CHECK(world.lines(id) == std::vector<std::string>{"0", "1", "2", "3", "SigBlk:\t0000000000000000",
                                                    "SigIgn:\t0000000000000000", "0022"});
}

TEST_CASE("a stop sends the stop signal and leaves nothing but the output") {
  World world;
  world.workload.stop_signal = SIGINT;
  InstanceId id =
      world.start({"sh", "-c", "trap 'echo bye; exit 0' INT; echo ready; while :; do sleep 0.01; done"});
  REQUIRE(world.await_line(id, "ready"));
  CHECK(world.observed(id)->state == State::running);
  world.stop(id);
  REQUIRE(world.await_gone(id));
  CHECK(world.lines(id) == std::vector<std::string>{"ready", "bye"});
  CHECK_FALSE(std::filesystem::exists(world.run() / "i" / id.value));
  CHECK(world.keeper.size() == 0);
}

TEST_CASE("an instance that ignores its stop signal is killed after its grace, with its whole tree") {
  World world;
  world.workload.stop_grace = 200ms;
  std::string mark = "3600." + std::to_string(getpid());
  InstanceId id =
      world.start({"sh", "-c", "trap '' TERM; setsid sleep " + mark + " & echo ready; sleep " + mark});
  REQUIRE(world.await_line(id, "ready"));
  REQUIRE(world.await([&] { return World::processes_with(mark).size() == 3; }));
  Instant asked = BootClock::now();
  world.stop(id);
  CHECK(world.observed(id)->state == State::stopping);
  REQUIRE(world.await_gone(id));
  CHECK(BootClock::now() - asked >= 200ms);
  CHECK(World::processes_with(mark).empty());
}

TEST_CASE("what a program leaves behind when it ends is killed and holds nothing up") {
  World world;
  std::string mark = "3600.1" + std::to_string(getpid());
  InstanceId id = world.start({"sh", "-c", "setsid sleep " + mark + " & echo done"});
  CHECK(world.await_end(id).exit == Exit{.code = 0});
  CHECK(World::processes_with(mark).empty());
  CHECK(world.lines(id) == std::vector<std::string>{"done"});
}

TEST_CASE("a member is started once, whatever becomes of it and however often it is wanted") {
  World world;
  world.workload.command = {"sh", "-c", "echo started"};
  InstanceId id{random_id()};
  world.want("shop/web@v1", {{.id = id}});
  world.await_end(id);
  world.want("shop/web@v1", {{.id = id}});
  world.restart_control();
  world.want("shop/web@v1", {{.id = id}});
  CHECK(world.await_end(id).exit == Exit{.code = 0});
  CHECK(world.lines(id) == std::vector<std::string>{"started"});
}

TEST_CASE("a replacement waits until the instance before it in its slot is gone") {
  World world;
  world.workload.stop_grace = 300ms;
  world.workload.command = {"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"};
  InstanceId first{random_id()}, second{random_id()};
  world.want("shop/web@v1", {{.id = first}});
  REQUIRE(world.await_line(first, "ready"));
  world.want("shop/web@v1", {{.id = second}});
  REQUIRE(world.observed(first)->state == State::stopping);
  CHECK(world.observed(second)->state == State::starting);
  bool both_ran = false;
  REQUIRE(world.await([&] {
    bool runs = world.observed(second)->state == State::running;
    both_ran |= runs && world.observed(first);
    return runs;
  }));
  CHECK_FALSE(both_ran);
}

TEST_CASE("the sockets on which an instance listens are told") {
  World world;
  std::uint16_t port = world.engine->free_port({});
  std::string listen = "socket(S,2,1,6); bind(S,pack('Sna4x8',2," + std::to_string(port) +
                       ",\"\\x7f\\0\\0\\1\")) or die; listen(S,5); $|=1; print \"ready\\n\"; sleep 3600";
  InstanceId id = world.start({"perl", "-e", listen});
  REQUIRE(world.await_line(id, "ready"));
  CHECK(world.engine->listeners(id) ==
        std::vector<Listener>{{net::Address{.host = "127.0.0.1", .port = port}}});
  InstanceId deaf = world.start({"sh", "-c", "echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(deaf, "ready"));
  CHECK(world.engine->listeners(deaf).empty());
}

TEST_CASE("a free port is not one that is taken or listened on") {
  World world;
  std::vector<std::uint16_t> taken;
  for (int i = 0; i < 20; ++i) taken.push_back(world.engine->free_port(taken));
  std::ranges::sort(taken);
  CHECK(std::ranges::adjacent_find(taken) == taken.end());
  CHECK(taken.front() >= 20000);
  CHECK(taken.back() <= 29999);
}

TEST_CASE("exec runs where the instance runs") {
  World world;
  world.workload.environment = {{"GREETING", "hello"}};
  world.workload.working_dir = "sub";
  InstanceId id = world.start({"sh", "-c", "echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  auto exec = [&](const std::vector<std::string>& argv) {
    return world.engine->exec(id, argv, Deadline::after(std::chrono::seconds(10)));
  };
  CHECK(exec({"sh", "-c", "echo $GREETING; cat greeting"}).out == "hello\nhello from the artefact\n");
  CHECK(exec({"sh", "-c", "echo no >&2; exit 7"}).exit == Exit{.code = 7});
  CHECK(exec({"sh", "-c", "kill -TERM $$"}).exit == Exit{.signal = SIGTERM});
  Output absent = exec({"no-such-program"});
  CHECK(absent.exit == Exit{.code = 127});
  CHECK(absent.err == "cannot execute no-such-program: No such file or directory (looked for on its PATH)\n");
  if (geteuid() == 0) CHECK(exec({"sh", "-c", "tr '\\0' ' ' < /proc/2/cmdline"}).out == "sleep 3600 ");
  CHECK_THROWS_AS(world.engine->exec({"unknown"}, {"true"}, Deadline::never()), Error);
}

TEST_CASE("instances are asked from other threads while one observes") {
  World world;
  InstanceId id = world.start({"sh", "-c", "echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  std::atomic<int> left = 2, answered = 0;
  auto ask = [&] {
    for (int i = 0; i < 5; ++i) {
      answered += world.engine->exec(id, {"true"}, Deadline::after(20s)).exit.ok();
      world.engine->listeners(id);
    }
    --left;
  };
  std::jthread one(ask), two(ask);
  while (left > 0) world.await_state(id, State::running);
  CHECK(answered == 10);
}

TEST_CASE("a command that runs past its deadline is killed with all it started") {
  World world;
  InstanceId id = world.start({"sh", "-c", "echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  std::string mark = "3600.2" + std::to_string(getpid());
  Output late =
      world.engine->exec(id, {"sh", "-c", "sleep " + mark + " & sleep " + mark}, Deadline::after(200ms));
  CHECK(late.timed_out);
  CHECK(world.await([&] { return World::processes_with(mark).empty(); }));
}

}  // namespace
}  // namespace holdall::engine
