// Release commands: run once, before anything starts, by whichever control is there.

#include "base/error.h"
#include "release/house_test.h"

using namespace holdall;
using namespace holdall::release;
using supervise::Health;

namespace {

constexpr const char* kGroup = "hello/web:release.1@v1";

/// hello, whose web migrates.
Request migrating(House& house, const std::string& mood = "grey", const std::string& more = "") {
  return house.request(R"("web": {"command": ["serve"], "environment": {"MOOD": ")" + mood +
                       R"("}, "deploy": {"update_config": {"monitor": "0s"}},
         "x-holdall": {"route": "hello.localhost", "release_command": ["migrate", "up"])" +
                       more + "}}");
}

void wait_for_command(House& house, int number, const std::string& group = kGroup) {
  house.follow_to(number, "command");
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  while (house.supervisor.snapshot()->of({group}).empty()) {
    REQUIRE_FALSE(deadline.passed());
    house.supervisor.wait(house.supervisor.snapshot()->version,
                          Deadline::after(std::chrono::milliseconds(5)));
  }
}

}  // namespace

TEST_CASE("a release command runs to its end before anything starts, in the new artefact as its service") {
  House house;
  const int number = house.deploy(migrating(house));
  wait_for_command(house, number);
  CHECK(house.wanted() == Strings{kGroup});
  const supervise::Group group = house.supervisor.wanted().front();
  CHECK(group.restart.kind == supervise::RestartPolicy::no);
  CHECK_FALSE(group.has_port);
  CHECK(group.workload.command == Strings{"migrate", "up"});
  CHECK(group.workload.artefact == house.artefact("web"));
  CHECK(group.workload.service == "web.release");
  CHECK(group.workload.environment.at("MOOD") == "grey");
  CHECK(group.workload.environment.at("HOLDALL_SERVICE") == "web");
  CHECK(house.releases->get("hello", number).step == Step::command);

  house.supervisor.set({kGroup}, 1, Health::completed);
  const Release release = house.finish(number);
  CHECK(release.step == Step::live);
  CHECK(house.wanted() == Strings{"hello/web@v1"});
  const Json& commands = release.report.at("commands");
  REQUIRE(commands.items().size() == 1);
  CHECK(commands.items()[0].at("service").string() == "web");
  CHECK(kinds(house.follow_to(number, "done"))[3] == "start");
}

TEST_CASE("hooks of pre_start run one after another, before release_command, with what they declare") {
  House house;
  const int number = house.deploy(house.request(
      R"("web": {"command": ["serve"], "environment": {"A": "1"},
         "pre_start": [{"command": ["seed"], "environment": {"A": "2"}, "working_dir": "tools"}],
         "deploy": {"update_config": {"monitor": "0s"}}, "x-holdall": {"release_command": ["migrate"]}})"));
  wait_for_command(house, number);
  CHECK(house.wanted() == Strings{kGroup});
  const supervise::Group seed = house.supervisor.wanted().front();
  CHECK(seed.workload.command == Strings{"seed"});
  CHECK(seed.workload.working_dir == "tools");
  CHECK(seed.workload.environment.at("A") == "2");
  house.supervisor.begins("web.release", Health::completed);
  house.supervisor.set({kGroup}, 1, Health::completed);
  Strings run;
  for (const Event& event : house.follow_to(number, "done")) {
    if (event.kind == "command") run.push_back(event.data.at("command").string());
  }
  CHECK(run == Strings{"seed", "migrate"});
}

TEST_CASE("a release command that fails ends its release with what it said, and nothing has started") {
  House house;
  house.options.last_lines = [](const supervise::InstanceStatus& one) {
    return Strings{one.service + " said no"};
  };
  house.restart();
  house.supervisor.begins("web.release", Health::completed);
  house.run(migrating(house));
  house.supervisor.begins("web.release", Health::failed, "exited with code 3, 120 ms after start");
  const int number = house.deploy(migrating(house, "green"));
  const auto events = house.follow_to(number, "failed");
  CHECK(events.back().data.at("reason").string() ==
        "the release command of web exited with code 3, 120 ms after start");
  CHECK(events.back().data.at("lines").items().at(0).string() == "web.release said no");
  CHECK(events.back().data.at("kept").string() == "v1");
  for (const Event& event : events) CHECK(event.kind != "start");
  CHECK(house.wanted() == Strings{"hello/web@v1"});
}

TEST_CASE("a command that does not end in its time is stopped") {
  House house;
  const int number = house.deploy(migrating(house, "grey", R"(, "release_timeout": "90s")"));
  wait_for_command(house, number);
  house.clock.advance(std::chrono::seconds(91));
  CHECK(house.finish(number).reason == "the release command of web did not end within 90.0 s");
  CHECK(house.wanted().empty());
}

TEST_CASE("the next control finds a command running, and runs it no second time") {
  House house;
  const int number = house.deploy(migrating(house));
  wait_for_command(house, number);
  const auto before = house.supervisor.snapshot()->of({kGroup});
  house.restart();
  house.supervisor.set({kGroup}, 1, Health::completed);
  CHECK(house.finish(number).step == Step::live);
  int runs = 0;
  for (const Event& event : house.follow_to(number, "done")) runs += event.kind == "ran";
  CHECK(runs == 1);
}

TEST_CASE("a command that a reboot interrupted is run again, one that had ended is not") {
  House house;
  const int number = house.deploy(migrating(house));
  wait_for_command(house, number);
  house.releases.reset();
  house.database->write(
      [](store::Transaction& t) { t.execute("update releases set boot_id = 'another'", {}); });
  house.supervisor.set({kGroup}, 1, Health::failed, "the machine was restarted");
  house.supervisor.begins("web.release", Health::completed);
  house.restart();
  CHECK(house.finish(number).step == Step::live);
  int wants = 0;
  for (const std::string& call : house.supervisor.calls()) wants += call == std::string("want ") + kGroup;
  CHECK(wants >= 2);
}

TEST_CASE("a cancelled release stops its command") {
  House house;
  const int number = house.deploy(migrating(house));
  wait_for_command(house, number);
  house.releases->cancel("hello", "uid 0 (root)");
  CHECK(house.finish(number).reason == "cancelled by uid 0 (root)");
  CHECK(house.wanted().empty());
}

TEST_CASE("what a command says is told once, and at most so much of it") {
  House house;
  Strings said{"one", "two"};
  house.options.output = [&](const supervise::InstanceStatus&) -> OutputReader {
    return [&, at = std::size_t{0}](bool) mutable {
      Strings lines(said.begin() + static_cast<std::ptrdiff_t>(at), said.end());
      at = said.size();
      return lines;
    };
  };
  house.restart();
  const int number = house.deploy(migrating(house));
  house.follow_to(number, "output");
  house.releases.reset();
  for (int i = 0; i < 600; ++i) said.emplace_back("more");
  house.supervisor.set({kGroup}, 1, Health::completed);
  house.restart();
  Strings told;
  for (const Event& event : house.follow_to(number, "done")) {
    if (event.kind != "output") continue;
    for (const Json& line : event.data.at("lines").items()) told.push_back(line.string());
  }
  REQUIRE(told.size() == 501);
  CHECK(told[0] == "one");
  CHECK(told[1] == "two");
  CHECK(told[2] == "more");
  CHECK(told[500] == "... and more: holdall logs");
}

TEST_CASE(
    "a rollback runs no command and names those it does not undo; a later server of one release runs none") {
  House house;
  house.supervisor.begins("web.release", Health::completed);
  house.run(migrating(house));
  house.run(migrating(house, "green"));
  const Release back = house.releases->rollback("hello", 1, "uid 0 (root)");
  const auto events = house.follow_to(back.number, "done");
  CHECK(events.front().data.at("commands").items().empty());
  REQUIRE(events.front().data.at("not_undone").items().size() == 1);
  CHECK(events.front().data.at("not_undone").items()[0].string() == "v2 web: migrate up");
  for (const Event& event : events) CHECK(event.kind != "command");

  Request second = migrating(house, "blue");
  second.release_commands = false;
  for (const Event& event : house.follow_to(house.deploy(second), "done")) CHECK(event.kind != "command");
}
