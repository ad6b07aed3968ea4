// Releases that are made from the one that serves: other numbers of replicas, new instances, stop and start.

#include "base/error.h"
#include "release/house_test.h"

using namespace holdall;
using namespace holdall::release;
using supervise::Health;

namespace {

const Strings kOne{"hello/web@v1#1"}, kThree{"hello/web@v1#1", "hello/web@v1#2", "hello/web@v1#3"};

Release scale(House& house, int replicas) {
  const auto begun = house.releases->scale("hello", {{"web", replicas}}, {}, "uid 0 (root)");
  REQUIRE(begun.has_value());
  return house.finish(begun->number);
}

int replicas_of(House& house) { return house.supervisor.wanted().at(0).replicas; }

void wait_for_targets(House& house, const Strings& wanted) {
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  while (house.targets() != wanted && !deadline.passed())
    house.supervisor.wait(~0ULL, Deadline::after(std::chrono::milliseconds(1)));
  CHECK(house.targets() == wanted);
}

}  // namespace

TEST_CASE("scaling up keeps what runs and adds to it, scaling down takes the last away after a drain") {
  House house;
  house.run(house.web("grey"));
  Release release = scale(house, 3);
  CHECK(release.step == Step::live);
  CHECK(house.wanted() == Strings{"hello/web@v1"});
  CHECK(house.targets() == kThree);
  CHECK(release.report.at("instances").items().size() == 2);
  CHECK(house.releases->status("hello").scaled == Strings{"web x3, the file says 1"});

  release = scale(house, 1);
  CHECK(release.step == Step::live);
  CHECK(house.targets() == kOne);
  CHECK(replicas_of(house) == 1);
  CHECK(house.releases->status("hello").scaled.empty());
  CHECK(scale(house, 0).step == Step::live);
  CHECK(house.targets().empty());
  CHECK(scale(house, 1).step == Step::live);
}

TEST_CASE("a plan tells what a scale does, and one that changes nothing is no release") {
  House house;
  house.run(house.web("grey"));
  const auto begun = house.releases->scale("hello", {{"web", 2}}, {}, "uid 0 (root)");
  const Json plan = house.follow_to(begun->number, "done").front().data;
  const Json& change = plan.at("changes").items().at(0);
  CHECK(change.at("kind").string() == "scale");
  CHECK(change.at("replicas").integer() == 2);
  CHECK(change.at("why").items().at(0).string() == "replicas  1 -> 2");
  CHECK(plan.at("scaled").items().at(0).string() == "web x2, the file says 1");
  CHECK_FALSE(house.releases->scale("hello", {{"web", 2}}, {}, "uid 0 (root)").has_value());
}

TEST_CASE("an added instance that fails takes a scale back, and the others never noticed") {
  House house;
  house.run(house.web("grey"));
  house.supervisor.begins("web", Health::failed, "exited with code 3, 5 ms after start");
  const Release failed = scale(house, 3);
  CHECK(failed.step == Step::failed);
  CHECK(failed.reason == "web.2 exited with code 3, 5 ms after start");
  CHECK(house.targets() == kOne);
  CHECK(replicas_of(house) == 1);
  CHECK(house.releases->status("hello").scaled.empty());
  house.supervisor.begins("web", Health::ready);
  CHECK(house.run(house.web("green")).step == Step::live);
  CHECK(replicas_of(house) == 1);
}

TEST_CASE("a scale outlives releases until the file has another number") {
  House house;
  house.run(house.web("grey"));
  scale(house, 3);
  house.run(house.web("green"));
  CHECK(replicas_of(house) == 3);
  CHECK(house.releases->plan(house.web("green")).nothing_changed());
  const Release back = house.releases->rollback("hello", 1, "uid 0 (root)");
  house.finish(back.number);
  CHECK(replicas_of(house) == 3);

  const Plan plan = house.releases->plan(house.web("blue", 2));
  CHECK(plan.scaled == Strings{"web x2 by the file, no longer 3"});
  house.run(house.web("blue", 2));
  CHECK(replicas_of(house) == 2);
  house.run(house.web("red", 2));
  CHECK(replicas_of(house) == 2);
}

TEST_CASE("the file's number alone keeps what runs, too") {
  House house;
  house.run(house.web("grey"));
  house.run(house.web("grey", 3));
  CHECK(house.targets() == kThree);
  house.run(house.web("grey", 1));
  CHECK(house.targets() == kOne);
}

TEST_CASE("a scale is reset to the file's number") {
  House house;
  house.run(house.web("grey"));
  scale(house, 3);
  const auto begun = house.releases->scale("hello", {}, {"web"}, "uid 0 (root)");
  house.finish(begun->number);
  CHECK(house.targets() == kOne);
  CHECK(house.releases->status("hello").scaled.empty());
}

TEST_CASE("a scale of what is not there, or of too many, is refused") {
  House house;
  CHECK_THROWS_WITH(house.releases->scale("hello", {{"web", 2}}, {}, "me"), doctest::Contains("no app"));
  house.run(house.web("grey"));
  CHECK_THROWS_WITH(house.releases->scale("hello", {{"wbe", 2}}, {}, "me"),
                    doctest::Contains("no service 'wbe'; it has: web"));
  CHECK_THROWS_WITH(house.releases->scale("hello", {{"web", -1}}, {}, "me"), doctest::Contains("0 to 1000"));
  CHECK_THROWS_WITH(house.releases->scale("hello", {}, {"wbe"}, "me"), doctest::Contains("no service"));
}

TEST_CASE("a dependency that grows or shrinks is waited for by those of it that stay") {
  House house;
  const auto with = [&](int replicas, const std::string& mood) {
    return house.request(R"("db": {"command": ["db"], "deploy": {"replicas": )" + std::to_string(replicas) +
                         R"(, "update_config": {"monitor": "0s"}}},
           "web": {"command": ["serve"], "environment": {"MOOD": ")" +
                         mood + R"("}, "depends_on": {"db": {"condition": "service_started"}},
           "deploy": {"update_config": {"monitor": "0s"}}})");
  };
  house.run(with(1, "grey"));
  CHECK(house.run(with(3, "green")).step == Step::live);
  CHECK(house.run(with(2, "blue")).step == Step::live);
  CHECK(house.wanted() == Strings{"hello/db@v1", "hello/web@v3"});
}

TEST_CASE("a restart starts new instances of the same before the old stop, and runs no release command") {
  House house;
  house.supervisor.begins("web.release", Health::completed);
  Request wanted = house.web("grey");
  wanted.model["services"]["web"]["x-holdall"]["release_command"] = Json::parse(R"(["migrate"])");
  house.run(wanted);
  const Release begun = house.releases->restart("hello", {"web"}, "uid 0 (root)");
  const auto events = house.follow_to(begun.number, "done");
  CHECK(events.front().data.at("changes").items().at(0).at("why").items().at(0).string() == "restarted");
  for (const Event& event : events) CHECK(event.kind != "command");
  CHECK(house.targets() == Strings{"hello/web@v2#1"});
  house.finish(house.releases->restart("hello", {}, "uid 0 (root)").number);
  CHECK(house.targets() == Strings{"hello/web@v3#1"});
  CHECK(house.releases->plan(wanted).nothing_changed());
  CHECK_THROWS_WITH(house.releases->restart("hello", {"db"}, "me"), doctest::Contains("no service 'db'"));
}

TEST_CASE("what was stopped stays so under the next control, until it is started again") {
  House house;
  house.run(house.web("grey", 2));
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  house.releases->stop("hello", {}, deadline);
  wait_for_targets(house, {});
  house.restart();
  CHECK(house.supervisor.snapshot()->instances.empty());
  house.releases->stop("hello", {}, deadline);
  house.releases->start("hello", {"web"});
  wait_for_targets(house, {"hello/web@v1#1", "hello/web@v1#2"});
  CHECK_THROWS_WITH(house.releases->stop("hello", {"db"}, deadline), doctest::Contains("no service"));
}

TEST_CASE("services stop in reverse order of starting, and who waits in vain is told") {
  House house;
  house.run(house.request(
      R"("db": {"command": ["db"], "deploy": {"update_config": {"monitor": "0s"}}},
         "web": {"command": ["serve"], "depends_on": {"db": {"condition": "service_started"}},
                 "deploy": {"update_config": {"monitor": "0s"}}})"));
  house.supervisor.keep_stopping(true);
  CHECK_THROWS_WITH(house.releases->stop("hello", {}, Deadline::after(std::chrono::milliseconds(5))),
                    doctest::Contains("still being stopped"));
  CHECK(house.supervisor.calls().back() == "resize hello/web@v1 0");
  CHECK_THROWS(house.releases->stop("hello", {}, Deadline::after(std::chrono::milliseconds(5)),
                                    std::chrono::milliseconds(0)));
  CHECK(house.supervisor.calls().back() == "signal hello/web@v1#1 9");
}
