#include "supervise/events.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "supervise/world_test.h"

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

namespace {

struct Told : World {
  std::int64_t seen = 0;
  std::map<std::string, int> names;  ///< of instances, in the order in which they were told of

  std::vector<InstanceEvent> events() {
    std::vector<InstanceEvent> events;
    database->read([&](store::Transaction& t) { events = instance_events(t, "shop", seen); });
    if (!events.empty()) seen = events.back().sequence;
    return events;
  }
  /// What is new: "1 start", "1 exit: exited with code 3, 5 ms after start".
  std::vector<std::string> lines() {
    std::vector<std::string> lines;
    for (const InstanceEvent& event : events()) {
      int name = names.try_emplace(event.instance.value, static_cast<int>(names.size()) + 1).first->second;
      lines.push_back(
          fmt::format("{} {}{}{}", name, event.action, event.reason.empty() ? "" : ": ", event.reason));
    }
    return lines;
  }
  void run(const Group& group) {
    control->want(group);
    turn();
    pass(20s);
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("what befalls an instance is told with its service, slot and group") {
  Told w;
  w.run(web());
  auto events = w.events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].action == "start");
  CHECK(events[1].action == "ready");
  CHECK(events[1].instance == w.id());
  CHECK(events[1].service == "web");
  CHECK(events[1].slot == 1);
  CHECK(events[1].group.value == "shop/web@v1");
  CHECK(events[1].reason.empty());
  CHECK(events[1].at > WallTime());
  w.database->read([&](store::Transaction& t) { CHECK(instance_events(t, "another", 0).empty()); });
}

TEST_CASE("the exit of an instance is told with its reason, started again at once or later") {
  Told w;
  w.run(web());
  w.lines();
  w.engine.exit(w.id(), {.code = 3});
  w.turn();
  Lines at_once = w.lines();
  REQUIRE(at_once.size() >= 2);
  CHECK(at_once[0].starts_with("1 exit: exited with code 3"));
  CHECK(at_once[1] == "2 start");
  for (int i = 0; i < 3; ++i) {
    w.engine.exit(w.id(), {.code = 4});
    w.turn();
    if (w.only().health == Health::waiting) break;
  }
  REQUIRE(w.only().health == Health::waiting);
  CHECK(w.lines().back().find(" exit: exited with code 4") != std::string::npos);
  w.pass(60s);
  CHECK(w.lines().front().ends_with(" start"));
}

TEST_CASE("an instance that fails its probes is unready, and stopped once another one has its place") {
  Told w;
  w.run(web());
  w.control->watch_closely({"shop/web@v1"}, false);
  w.lines();
  w.prober.verdicts[w.id()] = k500;
  w.pass(20s);
  for (int i = 0; i < 8; ++i) w.pass(250ms);
  w.pass(60s);
  CHECK(w.lines() ==
        Lines{"1 unready: GET /up answered 500, expected 200-399", "2 start", "2 ready", "1 stop"});
}

TEST_CASE("what is not wanted any more is told once it was stopped") {
  Told w;
  w.run(web(2));
  w.lines();
  w.control->resize({"shop/web@v1"}, 1);
  w.turn();
  CHECK(w.lines() == Lines{"2 stop"});
  w.control->resize({"shop/web@v1"}, 2);
  w.turn();
  CHECK(w.lines().front() == "3 start");
  w.control->unwant({"shop/web@v1"});
  w.turn();
  Lines end = w.lines();
  REQUIRE(end.size() >= 2);
  CHECK(end[end.size() - 2] == "1 stop");
  CHECK(end.back() == "3 stop");
}

TEST_CASE("a control that starts again tells nothing twice") {
  Told w;
  w.run(web());
  w.lines();
  w.restart_control();
  w.turn();
  w.pass(20s);
  CHECK(w.lines().empty());
}

TEST_CASE("the newest ten thousand events are kept") {
  Told w;
  w.run(web());
  w.database->write([&](store::Transaction& t) {
    t.execute("update instance_events set sequence = 10000 where sequence = 2");
  });
  const std::int64_t last = w.events().back().sequence;
  REQUIRE(last == 10'000);
  w.engine.exit(w.id(), {.code = 3});
  w.turn();
  w.seen = 0;
  auto events = w.events();
  CHECK(events.front().sequence == last);
  CHECK(events.back().sequence > last + 1);
}
