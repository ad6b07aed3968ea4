// What was ready and fails its probes is replaced.

#include <doctest/doctest.h>

#include "base/error.h"
#include "supervise/reconciler.h"
#include "supervise/world_test.h"

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

namespace {

/// A group that is ready, and whose first instance then fails its probes.
struct Sick : World {
  explicit Sick(const Group& group = with_drain()) {
    control->want(group);
    turn();
    control->watch_closely(group.id, false);
    pass(20s);
    first = control->statuses().front().id;
    verdicts_of(first) = k500;
  }
  static Group with_drain() {
    Group group = web();
    group.drain = 30s;
    return group;
  }
  Verdict& verdicts_of(const InstanceId& id) { return prober.verdicts[id]; }
  void fail_often() {
    pass(10s);
    for (int i = 0; i < 4; ++i) pass(250ms);
  }
  std::vector<InstanceId> live() {
    std::vector<InstanceId> ids;
    for (const engine::Instance& one : engine.live()) ids.push_back(one.id);
    return ids;
  }

  InstanceId first;
};

}  // namespace

TEST_CASE("an instance that fails its probes is replaced by another one, which is started beside it") {
  Sick w;
  w.prober.silent = false;
  w.verdicts_of(w.first) = k500;
  w.pass(10s);
  CHECK(w.only().health == Health::unready);
  CHECK(w.only().id == w.first);
  w.prober.verdict = kRefused;  // of the replacement
  for (int i = 0; i < 4; ++i) w.pass(250ms);
  CHECK(w.live().size() == 2);
  CHECK(w.only().id == w.first);
  CHECK(w.only().reason ==
        "GET /up answered 500, expected 200-399; another instance is being started in its place");
  w.prober.verdict = {.accepted = true, .passed = true, .failure = ""};
  w.pass(10ms);
  CHECK(w.only().health == Health::ready);
  CHECK(w.only().id != w.first);
  CHECK(w.only().restarts == 1);
  REQUIRE(w.control->leaving().size() == 1);
  CHECK(w.control->leaving()[0].id == w.first);
  CHECK(w.live().size() == 2);
}

TEST_CASE("one probe that fails takes an instance out of service, and does not replace it") {
  Sick w;
  w.pass(10s);
  CHECK(w.only().health == Health::unready);
  w.pass(250ms);
  CHECK(w.live().size() == 1);
  w.verdicts_of(w.first) = {.accepted = true, .passed = true, .failure = ""};
  w.pass(250ms);
  CHECK(w.only().health == Health::ready);
  CHECK(w.engine.started().size() == 1);
}

TEST_CASE("what was replaced is stopped when it is let go, or when its time to finish is over") {
  for (bool let_go : {true, false}) {
    Sick w;
    w.fail_often();
    REQUIRE(w.control->leaving().size() == 1);
    CHECK(w.live().size() == 2);
    if (let_go) {
      w.control->let_go(w.first);
      w.turn();
    } else {
      w.pass(29s);
      CHECK(w.live().size() == 2);
      w.pass(2s);
    }
    CHECK(w.live().size() == 1);
    CHECK(w.control->leaving().empty());
    CHECK(w.only().health == Health::ready);
  }
}

TEST_CASE("if the old one is ready again first, it stays and the other one is stopped") {
  Sick w;
  w.prober.verdict = kRefused;
  w.fail_often();
  REQUIRE(w.live().size() == 2);
  w.verdicts_of(w.first) = {.accepted = true, .passed = true, .failure = ""};
  w.pass(250ms);
  CHECK(w.only().id == w.first);
  CHECK(w.only().health == Health::ready);
  CHECK(w.only().reason.empty());
  CHECK(w.live() == std::vector<InstanceId>{w.first});
}

TEST_CASE("if the old one exits first, the one that is being started takes its place, and no third one") {
  Sick w;
  w.prober.verdict = kRefused;
  w.fail_often();
  REQUIRE(w.live().size() == 2);
  w.engine.exit(w.first, {.code = 9});
  w.turn();
  CHECK(w.live().size() == 1);
  CHECK(w.engine.started().size() == 2);
  CHECK(w.only().health == Health::starting);
  CHECK(w.only().restarts == 1);
  CHECK(w.only().exit == Exit{.code = 9});
}

TEST_CASE("while a dependency is sick, replacements come after 0, 1, 2, 4 ... 60 s, one at a time") {
  Sick w;
  w.prober.verdict = k500;  // of every other one: none gets ready
  w.fail_often();
  std::vector<Instant> starts;
  std::size_t seen = w.engine.started().size();
  for (int i = 0; i < 4 * 600; ++i) {
    w.pass(250ms);
    CHECK(w.live().size() <= 2);
    if (w.engine.started().size() == seen) continue;
    seen = w.engine.started().size();
    starts.push_back(w.clock.now());
  }
  // Each is given its start_timeout of 60 s, then the next one waits.
  REQUIRE(starts.size() >= 5);
  CHECK(starts.size() <= 9);
  for (std::size_t i = 1; i < starts.size(); ++i) CHECK(starts[i] - starts[i - 1] >= 60s);
  CHECK(starts[4] - starts[3] >= 64s);
  CHECK(w.only().id == w.first);
  CHECK(w.only().reason.find("; another instance in its place not ready after") != std::string::npos);
}

TEST_CASE("where there is no restart there is no replacement, and after the last of N restarts none either") {
  Group group = Sick::with_drain();
  group.restart = {.kind = RestartPolicy::no};
  Sick none(group);
  none.fail_often();
  CHECK(none.live().size() == 1);
  CHECK(none.only().health == Health::unready);
  group.restart = {.kind = RestartPolicy::on_failure, .most = 1};
  Sick once(group);
  once.prober.verdict = k500;
  once.fail_often();
  CHECK(once.live().size() == 2);
  for (int i = 0; i < 200; ++i) once.pass(1s);
  CHECK(once.live() == std::vector<InstanceId>{once.first});
  CHECK(once.engine.started().size() == 2);
}

TEST_CASE("killed at any point of a replacement, control goes on with it: no third one, none lost") {
  std::vector<std::string> points;
  {
    Sick w;
    w.passed.clear();
    w.fail_often();
    w.pass(40s);
    points = w.passed;
  }
  REQUIRE(points.size() > 6);
  for (const std::string& point : points) {
    INFO(point);
    Sick w;
    w.crash_at = point;
    try {
      w.fail_often();
      w.pass(40s);
    } catch (const Crash&) {
    }
    w.restart_control();
    w.turn();
    CHECK(w.live().size() <= 2);
    w.fail_often();
    CHECK(w.live().size() <= 2);
    w.pass(60s);
    w.pass(10s);
    CHECK(w.only().health == Health::ready);
    CHECK(w.only().id != w.first);
    CHECK(w.live().size() == 1);
    CHECK(w.engine.started().size() == 2);
  }
}

TEST_CASE("a group that nobody wants any more takes all three with it") {
  Sick w;
  w.fail_often();
  REQUIRE(w.live().size() == 2);
  w.control->unwant(web().id);
  w.turn();
  CHECK(w.live().empty());
  CHECK(w.control->present().empty());
}

TEST_CASE("a later try that does not get ready in time is followed by the next one, with a growing delay") {
  World w;
  w.control->want(web());
  w.turn();
  w.pass(20s);
  w.prober.verdict = kRefused;
  w.engine.exit(w.id(), {.code = 1});
  w.turn();
  const InstanceId second = w.id();
  w.pass(60s);
  w.turn();
  CHECK(w.only().health == Health::waiting);
  CHECK(w.only().reason == "not ready after 60.0 s: 127.0.0.1:20000 refuses connections");
  CHECK(w.engine.live().empty());
  w.pass(1s);
  CHECK(w.only().id != second);
  CHECK(w.only().restarts == 2);
  CHECK(w.engine.live().size() == 1);
}

TEST_CASE("an instance without a heartbeat is stopped before the next one starts: they may share the file") {
  World w;
  Group group = web();
  group.gate = {.kind = Gate::Kind::file, .path = "beat"};
  w.control->want(group);
  w.prober.verdict = {.beat = "1"};
  w.turn();
  w.prober.verdict = {.beat = "2"};
  w.pass(20s);
  const InstanceId first = w.id();
  REQUIRE(w.only().health == Health::ready);
  for (int i = 0; i < 60; ++i) {
    w.pass(250ms);
    CHECK(w.engine.live().size() == 1);
  }
  CHECK(w.id() != first);
  CHECK(w.only().restarts == 1);
  CHECK(w.only().reason.starts_with("no heartbeat"));
}
