#include <doctest/doctest.h>

#include "engine/world.h"

namespace holdall::engine {
namespace {

using Lines = std::vector<std::string>;

constexpr std::uint32_t kWeb = 230'001, kOther = 230'002;

const char* const kVariables = "echo $URL $$; cat $HOLDALL_SECRETS/pw; stat -c '%a %s' $HOLDALL_SECRETS/key";

/// With a variable and two files.
void name_secrets(World& world) {
  world.secrets.values = {
      {"PASSWORD", "se$$cret ${x}"}, {"KEY", std::string("a\0b", 3)}, {"OTHERS", "theirs"}};
  world.workload.secret_environment = {{"URL", "x://u:${PASSWORD}@h/$$1"}};
  world.workload.secret_files = {{"PASSWORD", "pw", 0400}, {"KEY", "key", 0440}};
}

std::string everything_in(const std::filesystem::path& directory) {
  std::string all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) all += read_file(entry.path());
  }
  return all;
}

Output exec(World& world, const InstanceId& id, const std::string& script) {
  return world.engine->exec(id, {"sh", "-c", script}, Deadline::after(std::chrono::seconds(20)));
}

TEST_CASE("an instance sees its secrets, in files and inside variables, and so does what runs beside it") {
  World world;
  name_secrets(world);
  InstanceId id = world.start({"sh", "-c", std::string(kVariables) + "; echo; echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  Lines lines = world.lines(id);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].starts_with("x://u:se$$cret ${x}@h/$1"));
  CHECK(lines[1] == "se$$cret ${x}440 3");
  CHECK(exec(world, id, "echo $URL; cat $HOLDALL_SECRETS/pw").out ==
        "x://u:se$$cret ${x}@h/$1\nse$$cret ${x}");
}

TEST_CASE("what control and the shim write down and show to others holds no value") {
  World world;
  name_secrets(world);
  if (geteuid() == 0) world.workload.uid = kWeb;
  InstanceId id = world.start({"sh", "-c", "echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  world.restart_control();
  CHECK(exec(world, id, "echo $URL").out == "x://u:se$$cret ${x}@h/$1\n");
  CHECK(everything_in(world.state()).find("se$$cret") == std::string::npos);
  for (pid_t pid : World::processes_with(id.value)) {
    const std::string proc = "/proc/" + std::to_string(pid);
    CHECK(read_file(proc + "/cmdline").find("se$$cret") == std::string::npos);
    if (geteuid() == 0) CHECK(read_file(proc + "/environ").find("se$$cret") == std::string::npos);
  }
  if (geteuid() == 0) CHECK(everything_in(world.run()).find("se$$cret") == std::string::npos);
}

TEST_CASE("what cannot be opened at a start is why the instance did not run") {
  World world;
  world.workload.secret_environment = {{"URL", "${GONE}"}};
  Instance instance = world.await_end(world.start({"true"}));
  CHECK(instance.failure == "cannot be started: GONE was altered");
  world.secrets.values = {{"GONE", std::string("a\0b", 3)}};
  Instance odd = world.await_end(world.start({"true"}));
  CHECK(odd.failure ==
        "cannot be started: the secret in URL holds a NUL byte, which no variable can; give it as a file");
}

TEST_CASE("a declared secret stands before a name that the engine gives") {
  World world;
  world.secrets.values = {{"WHERE", "/elsewhere"}};
  world.workload.secret_environment = {{"HOME", "${WHERE}"}};
  InstanceId id = world.start({"sh", "-c", "env | grep ^HOME="});
  world.await_end(id);
  CHECK(world.lines(id) == Lines{"HOME=/elsewhere"});
}

TEST_CASE("an instance begins with the limits that it was given" * doctest::skip(geteuid() != 0)) {
  World world;
  world.engine =
      make_process_engine({.state = world.state(), .run = world.run(), .open_files = 123, .core_bytes = 4096},
                          world.keeper, world.secrets, system_clock());
  InstanceId id = world.start({"sh", "-c", "ulimit -Sn; ulimit -Sc; echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  CHECK(world.lines(id) == Lines{"123", "8", "ready"});  // a block is 512 bytes
  CHECK(exec(world, id, "ulimit -Sn").out == "123\n");
}

TEST_CASE("an instance with a user of its own is that user and can never be another" *
          doctest::skip(geteuid() != 0)) {
  World world;
  world.workload.uid = kWeb;
  InstanceId id = world.start(
      {"sh", "-c",
       "id -u; id -G; grep -E 'NoNewPrivs|CapEff' /proc/self/status; echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  CHECK(world.lines(id) == Lines{"230001", "230001", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "ready"});
  CHECK(exec(world, id, "id -u; id -G").out == "230001\n230001\n");
}

TEST_CASE("it reads its artefact, writes to its home and to its output, and of the state sees nothing else" *
          doctest::skip(geteuid() != 0)) {
  World world;
  world.workload.uid = kWeb;
  write_file_atomic(world.state() / "holdall.db", "rows");
  InstanceId id = world.start({"sh", "-c",
                               "cat $(pwd)/sub/greeting; touch new 2>/dev/null || echo read-only; "
                               "echo kept > $HOME/file && cat $HOME/file; echo again > /dev/stdout; "
                               "ls " +
                                   world.state().string() + "; ls " + world.directory().string()});
  CHECK(world.await_end(id).exit == Exit{.code = 0});
  CHECK(world.lines(id) ==
        Lines{"hello from the artefact", "read-only", "kept", "again", "artefacts", "home", "state"});
  CHECK_FALSE(std::filesystem::exists(world.state() / "home"));
}

TEST_CASE("its secrets are files in memory that only it can read and nobody can change" *
          doctest::skip(geteuid() != 0)) {
  World world;
  name_secrets(world);
  world.workload.uid = kWeb;
  InstanceId id = world.start({"sh", "-c",
                               "stat -f -c %T /run/secrets; stat -c '%a %u' /run/secrets /run/secrets/pw; "
                               "echo x 2>/dev/null > /run/secrets/pw || echo unchanged; "
                               "echo ready; exec sleep 3600"});
  REQUIRE(world.await_line(id, "ready"));
  CHECK(world.lines(id) == Lines{"tmpfs", "500 230001", "400 230001", "unchanged", "ready"});
  CHECK(exec(world, id, "cat /run/secrets/pw").out == "se$$cret ${x}");
  CHECK_FALSE(std::filesystem::exists("/run/secrets/pw"));
}

TEST_CASE("an instance of another user sees neither its environment nor its files" *
          doctest::skip(geteuid() != 0)) {
  World world;
  name_secrets(world);
  world.workload.uid = kWeb;
  InstanceId web = world.start({"sh", "-c", "echo ready; exec sleep 3600.5"});
  REQUIRE(world.await_line(web, "ready"));
  pid_t program = 0;
  for (pid_t pid : World::processes_with("3600.5")) program = pid;
  REQUIRE(program > 0);
  CHECK(read_file("/proc/" + std::to_string(program) + "/environ").find("se$$cret") != std::string::npos);

  // Beside it, in the machine's own process namespace, where its number is known.
  const std::string proc = "/proc/" + std::to_string(program);
  auto as_other = [&](const std::string& script) {
    const std::string user = std::to_string(kOther);
    return run({.argv = {"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "sh", "-c", script},
                .environment = {{"PATH", "/usr/bin:/bin"}}},
               Deadline::after(std::chrono::seconds(20)));
  };
  CHECK_FALSE(as_other("cat " + proc + "/environ").exit.ok());
  CHECK_FALSE(as_other("cat " + proc + "/root/run/secrets/pw").exit.ok());
  CHECK(as_other("cat " + proc + "/cmdline").exit.ok());
}

}  // namespace
}  // namespace holdall::engine
