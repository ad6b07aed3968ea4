#include "base/subprocess.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fake.h"

using namespace holdall;
using namespace std::chrono_literals;

namespace {

Command shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script},
          .environment = {{"PATH", "/usr/bin:/bin"}},
          .working_dir = "",
          .fds = {}};
}

Output run_soon(const Command& command) { return run(command, Deadline::after(30s)); }

}  // namespace

TEST_CASE("run gives both outputs and the exit code") {
  Output output = run_soon(shell("echo out; echo err >&2; exit 3"));
  CHECK(output.out == "out\n");
  CHECK(output.err == "err\n");
  CHECK(output.exit == Exit{.code = 3});
  CHECK_FALSE(output.timed_out);
}

TEST_CASE("of a long output the last 64 KiB are kept") {
  Output output = run_soon(shell("head -c 300000 /dev/zero; printf end"));
  CHECK(output.out.size() == 64 << 10);
  CHECK(output.out.ends_with("end"));
}

TEST_CASE("at the deadline the whole process group is killed") {
  auto before = BootClock::now();
  Output output = run(shell("sleep 100 & echo $!; wait"), Deadline::after(100ms));
  CHECK(output.timed_out);
  CHECK(output.exit.signal == SIGKILL);
  CHECK(BootClock::now() - before < 10s);
  pid_t grandchild = std::stoi(output.out);
  // It is gone or about to be reaped by init; a live one could still be signalled and not be a zombie.
  bool gone = false;
  for (auto end = Deadline::after(10s); !gone && !end.passed();) {
    std::string state = run_soon(shell("cat /proc/" + std::to_string(grandchild) + "/stat 2>/dev/null")).out;
    gone = state.empty() || state.find(") Z ") != std::string::npos;
  }
  CHECK(gone);
}

TEST_CASE("a child that leaves a process holding its output ends all the same") {
  auto before = BootClock::now();
  Output output = run_soon(shell("sleep 60 & echo $!"));
  CHECK(output.exit.ok());
  CHECK(BootClock::now() - before < 20s);
  kill(std::stoi(output.out), SIGKILL);
}

TEST_CASE("the environment is exactly what is given") {
  Command command{.argv = {"/usr/bin/env"},
                  .environment = {{"A", "1"}, {"B", "two words"}},
                  .working_dir = "",
                  .fds = {}};
  CHECK(run_soon(command).out == "A=1\nB=two words\n");
}

TEST_CASE("a name without a slash is looked up in the PATH that is given") {
  CHECK(run_soon({.argv = {"true"},
                  .environment = {{"PATH", "/nowhere:/usr/bin:/bin"}},
                  .working_dir = "",
                  .fds = {}})
            .exit.ok());
  CHECK(kind_of([] {
          run_soon({.argv = {"true"}, .environment = {{"PATH", "/nowhere"}}, .working_dir = "", .fds = {}});
        }) == Error::missing);
}

TEST_CASE("what cannot be executed is named with the reason") {
  Command none{.argv = {"/no/such/program"}, .environment = {}, .working_dir = "", .fds = {}};
  CHECK_THROWS_WITH_AS(run_soon(none), "execute /no/such/program: No such file or directory", Error);
  CHECK(kind_of([&] { run_soon(none); }) == Error::missing);
  Command no_program{.argv = {"/etc/passwd"}, .environment = {}, .working_dir = "", .fds = {}};
  CHECK(kind_of([&] { run_soon(no_program); }) == Error::denied);
  Command no_directory{.argv = {"/bin/true"}, .environment = {}, .working_dir = "/no/such/place", .fds = {}};
  CHECK_THROWS_WITH_AS(run_soon(no_directory), doctest::Contains("working directory /no/such/place"), Error);
  CHECK(kind_of([] { run_soon({.argv = {}, .environment = {}, .working_dir = "", .fds = {}}); }) ==
        Error::invalid);
}

TEST_CASE("the working directory is where it runs") {
  Command command = shell("pwd");
  command.working_dir = "/usr";
  CHECK(run_soon(command).out == "/usr\n");
}

TEST_CASE("descriptors are placed though their numbers overlap, and all others are closed") {
  Pipe first = make_pipe(0), second = make_pipe(0), other = make_pipe(0);
  // Crosswise: each source's number is the other's place.
  int a = first.write.get(), b = second.write.get();
  Command command = shell("echo one >&" + std::to_string(b) + "; echo two >&" + std::to_string(a) +
                          "; ls /proc/self/fd | tr '\\n' ' ' >&" + std::to_string(b));
  command.argv[0] = "/bin/bash";
  command.fds = {{a, b}, {b, a}};
  pid_t pid = spawn(command);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(decode_wait_status(status).ok());
  auto read_some = [](const Fd& fd) {
    char buffer[256];
    return std::string(buffer,
                       static_cast<std::size_t>(std::max<ssize_t>(0, read(fd.get(), buffer, sizeof buffer))));
  };
  CHECK(read_some(second.read) == "two\n");
  std::string said = read_some(first.read);
  CHECK(said.starts_with("one\n"));
  // 0 to 2, the two, and the one with which ls lists.
  std::string expected =
      "0 1 2 " + std::to_string(std::min(a, b)) + " " + std::to_string(std::max(a, b)) + " ";
  for (int number = 3; number < 100; ++number) {
    if (number == a || number == b || number == 3) continue;
    CHECK(said.find(" " + std::to_string(number) + " ") == std::string::npos);
  }
  CHECK(said.find(" " + std::to_string(a) + " ") != std::string::npos);
}

TEST_CASE("0, 1 and 2 are /dev/null unless they are named") {
  Pipe out = make_pipe(0);
  Command command = shell("readlink /proc/self/fd/0 /proc/self/fd/2");
  command.fds = {{out.write.get(), 1}};
  pid_t pid = spawn(command);
  out.write.reset();
  char buffer[256];
  std::string said(buffer, static_cast<std::size_t>(read(out.read.get(), buffer, sizeof buffer)));
  waitpid(pid, nullptr, 0);
  CHECK(said == "/dev/null\n/dev/null\n");
}

TEST_CASE("signals that we ignore or block are not ignored or blocked in the child") {
  auto before = signal(SIGPIPE, SIG_IGN);
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &old);
  std::string status = run_soon(shell("grep -E '^Sig(Blk|Ign)' /proc/self/status")).out;
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  signal(SIGPIPE, before);
  CHECK(status == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("with die_with_parent a child does not outlive us") {
  Pipe pipe = make_pipe(0);
  pid_t parent = fork();
  if (parent == 0) {
    Command command = shell("echo ready; exec sleep 100");
    command.fds = {{pipe.write.get(), 1}};
    command.die_with_parent = true;
    spawn(command);
    pause();
  }
  pipe.write.reset();
  char ready[6];
  REQUIRE(read(pipe.read.get(), ready, sizeof ready) == 6);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  CHECK(read(pipe.read.get(), ready, 1) == 0);  // its end of the pipe is closed: it is gone
}

TEST_CASE("how a process ended is said in words") {
  CHECK(text(Exit{.code = 3}) == "exited with code 3");
  CHECK(text(Exit{.code = 0, .signal = SIGSEGV, .core_dumped = true}) == "killed by SIGSEGV (core dumped)");
  CHECK(run_soon(shell("kill -TERM $$")).exit == Exit{.code = 0, .signal = SIGTERM});
}

TEST_CASE("a signal is known by name, short name and number") {
  CHECK(parse_signal("SIGTERM") == SIGTERM);
  CHECK(parse_signal("INT") == SIGINT);
  CHECK(parse_signal("15") == SIGTERM);
  CHECK(parse_signal("SIGRTMIN+3") == SIGRTMIN + 3);
  CHECK(parse_signal("SIGRTMIN") == SIGRTMIN);
  for (const char* wrong : {"", "SIGNONE", "0", "99", "15x", "-1"})
    CHECK_THROWS_AS(parse_signal(wrong), Error);
  for (int signal = 1; signal < 32; ++signal) CHECK(parse_signal(signal_name(signal)) == signal);
}
