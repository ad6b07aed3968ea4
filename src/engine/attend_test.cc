#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "engine/world.h"

namespace holdall::engine {
namespace {

using Argv = std::vector<std::string>;

Argv shell(const std::string& script) { return {"sh", "-c", script}; }

/// The other ends of a program's descriptors.
struct Pipes {
  Pipe in = make_pipe(0), out = make_pipe(0), err = make_pipe(0);

  Stdio stdio() const { return {in.read, out.write, err.write}; }
  /// Once the program is started: only it holds its ends.
  void started() {
    in.read.reset();
    out.write.reset();
    err.write.reset();
  }
};

/// All that comes until nobody holds the other end, or until `mark` has come; what comes in a time that only
/// a fault explains.
std::string hear(const Fd& from, const std::string& mark = "\xff") {
  std::string text;
  char buffer[4096];
  Deadline deadline = Deadline::after(std::chrono::seconds(20));
  while (text.find(mark) == text.npos) {
    pollfd readable{from.get(), POLLIN, 0};
    if (poll(&readable, 1, deadline.poll_ms()) <= 0) return text + "(nothing more)";
    ssize_t got = read(from.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

/// A program beside an instance that only sleeps.
struct Beside {
  Beside() : id(world.start({"sleep", "3600"})) { REQUIRE(world.await_state(id, State::running)); }

  std::unique_ptr<Process> attend(const Program& program) {
    auto process = world.engine->attend(id, program, pipes.stdio());
    pipes.started();
    return process;
  }
  std::unique_ptr<Process> attend(const std::string& script) {
    return attend(Program{.argv = shell(script)});
  }

  World world;
  InstanceId id;
  Pipes pipes;
};

struct Pty {
  Pty() : master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    REQUIRE(grantpt(master.get()) == 0);
    REQUIRE(unlockpt(master.get()) == 0);
    slave = Fd(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    winsize size{.ws_row = 33, .ws_col = 111, .ws_xpixel = 0, .ws_ypixel = 0};
    REQUIRE(ioctl(master.get(), TIOCSWINSZ, &size) == 0);
  }
  Fd master, slave;
};

}  // namespace

TEST_CASE("a program that is attended reads and writes what its caller gave it, and tells its code") {
  Beside beside;
  auto process = beside.attend("read x; echo got $x; echo complaint >&2; exit 7");
  REQUIRE(write(beside.pipes.in.write.get(), "this\n", 5) == 5);
  CHECK(hear(beside.pipes.out.read) == "got this\n");
  CHECK(hear(beside.pipes.err.read) == "complaint\n");
  CHECK(process->exit_code() == 7);
}

TEST_CASE("it has the instance's environment and artefact, and what is asked for beside that") {
  Beside beside;
  auto process = beside.attend({.argv = shell("cat greeting; echo $HOLDALL_INSTANCE $COLOUR $LEFT"),
                                .environment = {{"COLOUR", "green"}, {"LEFT", "right"}},
                                .working_dir = "sub"});
  CHECK(hear(beside.pipes.out.read) == "hello from the artefact\nweb.1 green right\n");
}

TEST_CASE("its end is told as a shell tells it") {
  auto code_of = [](const Argv& argv) {
    Beside beside;
    auto process = beside.attend({.argv = argv});
    std::string said = hear(beside.pipes.err.read);
    return std::pair(process->exit_code(), said);
  };
  CHECK(code_of(shell("kill -SEGV $$")).first == 128 + SIGSEGV);
  CHECK(code_of({"no-such-program"}) ==
        std::pair(127, std::string("cannot execute no-such-program: No such file or directory (looked for on "
                                   "its PATH)\n")));
  CHECK(code_of({"./sub/greeting"}).first == 126);
  CHECK(code_of({"/nowhere/at/all"}).first == 127);
}

TEST_CASE("signals are passed on to the program") {
  Beside beside;
  auto process = beside.attend("trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
  CHECK(hear(beside.pipes.out.read, "ready\n") == "ready\n");
  process->signal(SIGTERM);
  CHECK(hear(beside.pipes.out.read) == "caught\n");
  CHECK(process->exit_code() == 3);
}

TEST_CASE("what a program leaves running goes when it ends") {
  Beside beside;
  auto process =
      beside.attend("trap '' HUP TERM; setsid sh -c 'setsid sleep 3600 & sleep 3600' & echo left; exit 0");
  CHECK(hear(beside.pipes.out.read) == "left\n");  // to its end: nobody holds it any more
  CHECK(process->exit_code() == 0);
}

TEST_CASE("when nobody attends it any more, all of it is killed, whatever it ignores") {
  Beside beside;
  auto process = beside.attend(
      "trap '' HUP TERM INT; setsid sh -c 'sleep 3600 & sleep 3600' & echo on; sleep 3600; sleep 3600");
  CHECK(hear(beside.pipes.out.read, "on\n") == "on\n");
  process.reset();
  CHECK(hear(beside.pipes.out.read).empty());
  CHECK(beside.world.observed(beside.id)->state == State::running);
}

TEST_CASE("when the process that started it is killed, all of it is") {
  Beside beside;
  auto process = beside.attend("setsid sleep 3600 & echo on; sleep 3600");
  CHECK(hear(beside.pipes.out.read, "on\n") == "on\n");
  // The outermost is the one that would be killed with control.
  std::vector<pid_t> outer = World::processes_with("attach");
  std::erase_if(outer, [&](pid_t pid) {
    return read_file("/proc/" + std::to_string(pid) + "/cmdline").find(beside.id.value) == std::string::npos;
  });
  REQUIRE_FALSE(outer.empty());
  kill(outer.front(), SIGKILL);
  CHECK(hear(beside.pipes.out.read).empty());
}

TEST_CASE("a terminal is the program's own: its size, its Ctrl-C, its hang-up") {
  Beside beside;
  Pty pty;
  auto process = beside.world.engine->attend(
      beside.id,
      {.argv = shell(
           "stty size; tty; trap 'echo interrupted; exit 4' INT; echo ready; while :; do sleep 0.01; done")},
      {pty.slave, pty.slave, pty.slave});
  pty.slave.reset();
  std::string said = hear(pty.master, "ready\r\n");
  CHECK(said.starts_with("33 111\r\n/dev/pts/"));
  REQUIRE(write(pty.master.get(), "\x03", 1) == 1);
  CHECK(hear(pty.master).find("interrupted\r\n") != std::string::npos);
  CHECK(process->exit_code() == 4);
}

TEST_CASE("a program that nobody attends goes on, until its instance ends" * doctest::skip(geteuid() != 0)) {
  Beside beside;
  beside.world.engine->leave(beside.id, {.argv = {"sleep", "3599.25"}});
  CHECK(World::processes_with("3599.25").size() == 1);
  CHECK_THROWS_WITH_AS(beside.world.engine->leave(beside.id, {.argv = {"no-such-program"}}),
                       doctest::Contains("cannot execute no-such-program"), Error);
  beside.world.stop(beside.id);
  CHECK(beside.world.await([] { return World::processes_with("3599.25").empty(); }));
}

TEST_CASE("a program that nobody attends is refused where it could outlive its instance" *
          doctest::skip(geteuid() == 0)) {
  Beside beside;
  CHECK_THROWS_WITH_AS(beside.world.engine->leave(beside.id, {.argv = {"true"}}),
                       doctest::Contains("leave out -d"), Error);
}

TEST_CASE("a copy has all that an instance has, and nothing of what runs is needed") {
  World world;
  Pipes pipes;
  world.secrets.values = {{"PASSWORD", "opened"}};
  world.workload.secret_environment = {{"PW", "${PASSWORD}"}};
  world.workload.secret_files = {{"PASSWORD", "pw", 0400}};
  world.workload.environment = {{"MODE", "copied"}};
  if (geteuid() == 0) world.workload.uid = 230'003;
  InstanceId id{random_id()};
  auto process = world.engine->once(
      {.id = id, .group = {"shop/web@v1"}, .port = 20111}, world.workload,
      {.argv = shell(
           "echo $MODE $HOLDALL_INSTANCE $PORT $PW $(cat $HOLDALL_SECRETS/pw) $(cat sub/greeting); id -u; "
           "exec 1>/dev/stdout; exit 5"),
       .environment = {{"HOLDALL_INSTANCE", "web.run"}}},
      pipes.stdio());
  pipes.started();
  CHECK(hear(pipes.out.read) == "copied web.run 20111 opened opened hello from the artefact\n" +
                                    std::to_string(geteuid() == 0 ? 230'003 : geteuid()) + "\n");
  CHECK(hear(pipes.err.read).empty());
  CHECK(process->exit_code() == 5);
  CHECK(world.engine->observe().empty());
  process.reset();
  CHECK(std::filesystem::is_empty(world.run() / "i"));
}

TEST_CASE("a copy ends with whoever attends it, to the last of its processes") {
  World world;
  Pipes pipes;
  InstanceId id{random_id()};
  auto process =
      world.engine->once({.id = id, .group = {"shop/web@v1"}}, world.workload,
                         {.argv = shell("trap '' HUP TERM; setsid sh -c 'sleep 3600 & sleep 3600' & echo on; "
                                        "sleep 3600; sleep 3600")},
                         pipes.stdio());
  pipes.started();
  CHECK(hear(pipes.out.read, "on\n") == "on\n");
  process.reset();
  CHECK(hear(pipes.out.read).empty());
  CHECK(World::processes_with(id.value).empty());
}

}  // namespace holdall::engine
