#include "supervise/watch.h"

#include <doctest/doctest.h>

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

namespace {

constexpr Instant kStart{std::chrono::hours(1)};
const net::Address kExpected{.host = "127.0.0.1", .port = 41873, .path = ""};

Gate http() { return {.kind = Gate::Kind::http, .path = "/up", .command = {}}; }
Gate command(int retries) {
  return {.kind = Gate::Kind::command,
          .path = "",
          .command = {"true"},
          .interval = 30s,
          .later_interval = 30s,
          .retries = retries};
}

const Verdict kPassed{.accepted = true, .passed = true, .failure = ""};
const Verdict kRefused{.accepted = false, .passed = false, .failure = "127.0.0.1:41873 refuses connections"};
const Verdict k500{.accepted = true, .passed = false, .failure = "GET /up answered 500, expected 200-399"};

std::vector<engine::Listener> on(std::initializer_list<net::Address> addresses) {
  std::vector<engine::Listener> listeners;
  for (const net::Address& address : addresses) listeners.push_back({address});
  return listeners;
}

/// A watch whose probes end at once.
struct Probed {
  Watch watch;
  explicit Probed(const Gate& gate) : watch(gate, true, kStart) { watch.executed(kStart); }

  void probe(Instant at, const Verdict& verdict) {
    CHECK(watch.probe_due(at));
    CHECK_FALSE(watch.probe_due(at - 1ns));
    watch.probe_started(at);
    watch.probe_ended(verdict, at);
  }
};

}  // namespace

TEST_CASE("running: ready when it was executed, never probed") {
  Watch watch({.kind = Gate::Kind::running, .path = "", .command = {}}, true, kStart);
  CHECK(watch.health() == Health::starting);
  watch.executed(kStart + 3ms);
  CHECK(watch.health() == Health::ready);
  CHECK(watch.ready_since() == kStart + 3ms);
  CHECK(watch.due() == Instant::max());
}

TEST_CASE("a connect every 5 ms for the first second, then every interval, until the port accepts") {
  Probed p(http());
  for (auto t = 0ms; t < 1s; t += 5ms) p.probe(kStart + t, kRefused);
  p.probe(kStart + 1000ms, kRefused);
  p.probe(kStart + 1250ms, kRefused);
  p.probe(kStart + 1500ms, kRefused);
  CHECK(p.watch.health() == Health::starting);
  CHECK(p.watch.reason().empty());
}

TEST_CASE("once it accepts, a path that fails is asked again every interval") {
  Probed p(http());
  p.probe(kStart, kRefused);
  p.probe(kStart + 5ms, k500);
  CHECK(p.watch.accepted_at() == kStart + 5ms);
  CHECK(p.watch.reason() == k500.failure);
  p.probe(kStart + 255ms, kPassed);
  CHECK(p.watch.health() == Health::ready);
  CHECK(p.watch.ready_since() == kStart + 255ms);
  CHECK(p.watch.accepted_at() == kStart + 5ms);
  CHECK(p.watch.reason().empty());
}

TEST_CASE("a probe that takes long delays the next, and never overlaps it") {
  Probed p(http());
  p.watch.probe_started(kStart);
  CHECK_FALSE(p.watch.probe_due(kStart + 10s));
  p.watch.probe_ended(k500, kStart + 5s);
  CHECK(p.watch.probe_due(kStart + 5s));
}

TEST_CASE("after ready it is probed by interval while watched closely, by later_interval afterwards") {
  Probed p(http());
  p.probe(kStart, kPassed);
  p.probe(kStart + 250ms, kPassed);
  p.watch.set_closely(false, kStart + 300ms);
  CHECK(p.watch.due() == kStart + 250ms + 10s);
  p.probe(kStart + 250ms + 10s, kPassed);
  p.watch.set_closely(true, kStart + 11s);
  p.probe(kStart + 11s, kPassed);
}

TEST_CASE("the first failed probe of a ready path makes it unready, a passing one ready again") {
  Probed p(http());
  p.probe(kStart, kPassed);
  p.watch.set_closely(false, kStart);
  p.probe(kStart + 10s, k500);
  CHECK(p.watch.health() == Health::unready);
  CHECK(p.watch.reason() == k500.failure);
  CHECK(p.watch.unready_since() == kStart + 10s);
  CHECK(p.watch.ready_since() == std::nullopt);
  // Not watched closely, and asked often all the same: it serves nothing meanwhile.
  p.probe(kStart + 10s + 250ms, kRefused);
  CHECK(p.watch.unready_since() == kStart + 10s);
  p.probe(kStart + 10s + 500ms, kPassed);
  CHECK(p.watch.health() == Health::ready);
  CHECK(p.watch.ready_since() == kStart + 10s + 500ms);
  CHECK(p.watch.unready_since() == std::nullopt);
}

TEST_CASE("a healthcheck needs `retries` failures in a row") {
  Probed p(command(3));
  const Verdict passed{.accepted = false, .passed = true, .failure = ""},
      failed{.accepted = false, .passed = false, .failure = "no"};
  p.probe(kStart, passed);
  CHECK(p.watch.health() == Health::ready);
  CHECK(p.watch.accepted_at() == std::nullopt);
  p.probe(kStart + 30s, failed);
  p.probe(kStart + 60s, failed);
  p.probe(kStart + 90s, passed);
  p.probe(kStart + 120s, failed);
  p.probe(kStart + 150s, failed);
  CHECK(p.watch.health() == Health::ready);
  p.probe(kStart + 180s, failed);
  CHECK(p.watch.health() == Health::unready);
}

TEST_CASE("failures within a healthcheck's start_period do not count") {
  Gate gate = command(1);
  gate.start_period = 60s;
  Probed p(gate);
  const Verdict passed{.accepted = false, .passed = true, .failure = ""},
      failed{.accepted = false, .passed = false, .failure = "no"};
  p.probe(kStart, passed);
  p.probe(kStart + 30s, failed);
  CHECK(p.watch.health() == Health::ready);
  p.probe(kStart + 60s, failed);
  CHECK(p.watch.health() == Health::unready);
}

TEST_CASE("a healthcheck that fails at the start is asked at its own interval, and its reason shows") {
  Probed p(command(3));
  p.probe(kStart, {.accepted = false, .passed = false, .failure = "healthcheck exited with code 1"});
  CHECK(p.watch.reason() == "healthcheck exited with code 1");
  CHECK(p.watch.due() == kStart + 30s);
}

TEST_CASE("not ready by start_timeout is a failure that names the last probe's") {
  Probed p(http());
  p.probe(kStart, k500);
  p.watch.time_passed(kStart + 60s - 1ns);
  CHECK(p.watch.health() == Health::starting);
  p.watch.time_passed(kStart + 60s);
  CHECK(p.watch.health() == Health::failed);
  CHECK(p.watch.reason() == "not ready after 60.0 s: GET /up answered 500, expected 200-399");
  CHECK(p.watch.due() == Instant::max());
}

TEST_CASE("what never accepted says so when its time is over") {
  Probed p(http());
  p.probe(kStart, kRefused);
  p.watch.time_passed(kStart + 60s);
  CHECK(p.watch.reason() == "not ready after 60.0 s: 127.0.0.1:41873 refuses connections");
}

TEST_CASE("a listener in the wrong place is told at once, and fails when no right one follows within 2 s") {
  Probed p(http());
  CHECK_FALSE(p.watch.listeners_due(kStart + 99ms));
  CHECK(p.watch.listeners_due(kStart + 100ms));
  auto wrong = on({{.host = "127.0.0.1", .port = 3000, .path = ""}});
  p.watch.listens_on(wrong, kExpected, kStart + 100ms);
  CHECK(p.watch.wrong_listener());
  CHECK(p.watch.reason() == "listens on 127.0.0.1:3000, expected 0.0.0.0:41873 ($PORT)");
  CHECK(p.watch.health() == Health::starting);
  CHECK_FALSE(p.watch.listeners_due(kStart + 349ms));
  CHECK(p.watch.listeners_due(kStart + 350ms));
  p.watch.listens_on(wrong, kExpected, kStart + 2050ms);
  CHECK(p.watch.health() == Health::starting);
  p.watch.listens_on(wrong, kExpected, kStart + 2100ms);
  CHECK(p.watch.health() == Health::failed);
  CHECK(p.watch.reason() == "listens on 127.0.0.1:3000, expected 0.0.0.0:41873 ($PORT)");
  CHECK(p.watch.wrong_listener());
}

TEST_CASE("a right listener that follows a wrong one in time mends it") {
  Probed p(http());
  p.watch.listens_on(on({{.host = "", .port = 9090, .path = ""}}), kExpected, kStart + 100ms);
  CHECK(p.watch.reason() == "listens on 0.0.0.0:9090, expected 0.0.0.0:41873 ($PORT)");
  p.watch.listens_on(on({{.host = "", .port = 9090, .path = ""}, {.host = "::", .port = 41873, .path = ""}}),
                     kExpected, kStart + 350ms);
  CHECK_FALSE(p.watch.wrong_listener());
  CHECK(p.watch.reason().empty());
}

TEST_CASE("right is the port on 127.0.0.1 and on all addresses, not on another") {
  for (const char* host : {"127.0.0.1", "0.0.0.0", "::", "", "10.0.0.5", "::1"}) {
    Probed p(http());
    p.watch.listens_on(on({{.host = host, .port = 41873, .path = ""}}), kExpected, kStart + 100ms);
    CHECK(p.watch.wrong_listener() == (std::string(host) == "10.0.0.5" || std::string(host) == "::1"));
  }
}

TEST_CASE("who listens nowhere yet is not wrong") {
  Probed p(http());
  p.watch.listens_on({}, kExpected, kStart + 100ms);
  CHECK_FALSE(p.watch.wrong_listener());
  CHECK(p.watch.listeners_due(kStart + 350ms));
}

TEST_CASE("who accepted is not asked where it listens") {
  Probed p(http());
  p.probe(kStart, k500);
  CHECK_FALSE(p.watch.listeners_due(kStart + 1h));
}

TEST_CASE("an adopted instance stays what it was until a probe, at once, says otherwise") {
  Watch watch(http(), false, Health::ready, kStart, kStart + 1h);
  watch.executed(kStart - 1s);
  CHECK(watch.health() == Health::ready);
  CHECK(watch.ready_since() == kStart);
  CHECK_FALSE(watch.confirmed());
  CHECK(watch.probe_due(kStart + 1h));
  watch.probe_started(kStart + 1h);
  watch.probe_ended(kRefused, kStart + 1h);
  CHECK(watch.health() == Health::unready);
}

TEST_CASE("a passing probe confirms what was adopted; what is never probed needs none") {
  Watch watch(http(), false, Health::ready, kStart, kStart + 1h);
  watch.probe_started(kStart + 1h);
  watch.probe_ended({.accepted = true, .passed = true, .failure = ""}, kStart + 1h);
  CHECK(watch.confirmed());
  CHECK(Watch(Gate{}, false, Health::ready, kStart, kStart + 1h).confirmed());
}

TEST_CASE("who is looked at again has to pass another probe, at once; what is never probed has not") {
  Probed p(http());
  p.probe(kStart, {.accepted = true, .passed = true, .failure = ""});
  CHECK(p.watch.confirmed());
  CHECK_FALSE(p.watch.probe_due(kStart + 1ms));
  p.watch.look_again(kStart + 1ms);
  CHECK_FALSE(p.watch.confirmed());
  CHECK(p.watch.health() == Health::ready);
  p.probe(kStart + 1ms, k500);
  CHECK_FALSE(p.watch.confirmed());
  p.probe(p.watch.due(), {.accepted = true, .passed = true, .failure = ""});
  CHECK(p.watch.confirmed());
  Watch running(Gate{}, false, Health::ready, kStart, kStart);
  running.look_again(kStart);
  CHECK(running.confirmed());
}

TEST_CASE("an adopted instance that was starting gets a probe before its time is over") {
  Watch watch(http(), false, Health::starting, kStart, kStart + 1h);
  watch.executed(kStart);
  watch.time_passed(kStart + 1h);
  CHECK(watch.health() == Health::starting);
  CHECK(watch.probe_due(kStart + 1h));
  watch.time_passed(kStart + 1h + 5s);
  CHECK(watch.health() == Health::failed);
}
