#include <doctest/doctest.h>

#include <set>

#include "supervise/reconciler.h"
#include "supervise/world_test.h"

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

namespace {

/// Runs a scene that crashes at `point`, starts control again, plays on, and checks what must hold after any
/// crash.
void survives_crash_at(const std::string& point) {
  CAPTURE(point);
  World w;
  Group group = web(3);
  w.crash_at = point;
  bool wanted = false;
  auto surviving = [&](auto work) {
    try {
      work();
    } catch (const Crash&) {
      w.restart_control();
    }
  };
  auto turn = [&] { surviving([&] { w.turn(); }); };
  surviving([&] { w.control->want(group); });
  turn();
  wanted = !w.control->wanted().empty();
  if (!wanted) w.control->want(group);
  turn();
  w.clock.advance(5ms);
  turn();
  surviving([&] { w.control->watch_closely(group.id, false); });
  w.engine.exit(w.control->statuses()[0].id, Exit{.code = 1});
  turn();
  turn();
  w.engine.exit(w.control->statuses()[0].id, Exit{.code = 1});
  turn();
  for (int i = 0; i < 2; ++i) {
    w.clock.advance(1s);
    turn();
  }
  w.turn();

  auto live = w.engine.live();
  CHECK(live.size() == 3);
  std::set<int> slots;
  std::set<std::uint16_t> ports;
  for (const engine::Instance& instance : live) {
    slots.insert(instance.slot);
    ports.insert(instance.address.port);
  }
  CHECK(slots == std::set<int>{1, 2, 3});
  CHECK(ports.size() == 3);
  CHECK(w.engine.present() == 3);
  for (const InstanceStatus& status : w.control->statuses()) CHECK(status.health == Health::ready);

  surviving([&] { w.control->unwant(group.id); });
  if (!w.control->wanted().empty()) w.control->unwant(group.id);
  turn();
  w.turn();
  CHECK(w.engine.present() == 0);
  CHECK(w.control->present().empty());
  std::int64_t rows = -1;
  w.database->read([&](store::Transaction& t) {
    t.query("select (select count(*) from groups) + (select count(*) from instances)", {},
            [&](const store::Row& row) { rows = row.integer(0); });
  });
  CHECK(rows == 0);
  CHECK(w.crash_at.empty());  // it did crash there
}

}  // namespace

TEST_CASE("killed before or after any commit or act, one instance a slot remains and nothing is left over") {
  for (const char* point : {"want.commit", "start.apply", "health.commit", "watch.commit", "start.commit",
                            "exit.commit", "stop.apply", "unwant.commit", "gone.commit"}) {
    survives_crash_at(std::string("supervise.") + point + ".before");
    survives_crash_at(std::string("supervise.") + point + ".after");
  }
}

TEST_CASE("every commit and act of the scene is a point of the list above") {
  World w;
  w.control->want(web());
  w.turn();
  w.pass(5ms);
  w.control->watch_closely(web().id, false);
  for (int i = 0; i < 2; ++i) {
    w.engine.exit(w.id(), Exit{.code = 1});
    w.turn();
  }
  w.control->unwant(web().id);
  w.turn();
  std::set<std::string> points(w.passed.begin(), w.passed.end());
  CHECK(points.size() == 18);
}
