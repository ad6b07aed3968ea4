// The gate `file`: an instance shows that it is alive by touching a file.

#include <doctest/doctest.h>

#include "supervise/watch.h"
#include "supervise/world_test.h"

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

namespace {

struct Beating {
  Beating() {
    gate.kind = Gate::Kind::file;
    gate.path = "/tmp/beat";
    gate.period = 9s;
    gate.later_interval = 3s;
    watch.emplace(gate, false, now);
    watch->executed(now);
  }
  /// Looks when it is due, until `span` has passed.
  void pass(std::chrono::nanoseconds span, const std::string& mark) {
    const Instant end = now + span;
    while (watch->due() <= end) {
      now = std::max(now, watch->due());
      watch->time_passed(now);
      if (!watch->probe_due(now)) break;
      watch->probe_started(now);
      watch->probe_ended({.beat = mark}, now);
    }
    now = end;
  }

  Instant now{1000s};
  Gate gate;
  std::optional<Watch> watch;
};

}  // namespace

TEST_CASE("a heartbeat is a file that is touched: not one that lies there, nor one that is missing") {
  Beating b;
  b.pass(1s, "");
  CHECK(b.watch->health() == Health::starting);
  CHECK(b.watch->reason() == "no heartbeat yet: /tmp/beat is not there");
  b.pass(1s, "1");
  CHECK(b.watch->health() == Health::ready);
  Beating stale;
  stale.pass(5s, "left by another");
  CHECK(stale.watch->health() == Health::starting);
  CHECK(stale.watch->reason() == "no heartbeat yet: /tmp/beat was not touched");
}

TEST_CASE("an instance is unready once its heartbeat has been missing for its period, and not before") {
  Beating b;
  b.pass(1s, "0");
  b.pass(1s, "1");
  REQUIRE(b.watch->health() == Health::ready);
  b.pass(8s, "1");
  CHECK(b.watch->health() == Health::ready);
  b.pass(4s, "1");
  CHECK(b.watch->health() == Health::unready);
  CHECK(b.watch->reason().starts_with("no heartbeat for "));
  CHECK(b.watch->reason().ends_with(": /tmp/beat is to be touched every 9.0 s"));
  b.pass(1s, "2");
  CHECK(b.watch->health() == Health::ready);
}

TEST_CASE("a file that vanishes is a missing heartbeat, and no more than that") {
  Beating b;
  b.pass(1s, "0");
  b.pass(1s, "1");
  b.pass(4s, "");
  CHECK(b.watch->health() == Health::ready);
  b.pass(9s, "");
  CHECK(b.watch->health() == Health::unready);
}

TEST_CASE("whoever takes over gives a ready instance its whole period") {
  Beating b;
  b.watch.emplace(b.gate, false, Health::ready, b.now - 1h, b.now);
  b.pass(8s, "1");
  CHECK(b.watch->health() == Health::ready);
  b.pass(5s, "1");
  CHECK(b.watch->health() == Health::unready);
}
