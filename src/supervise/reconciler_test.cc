#include "supervise/reconciler.h"

#include <doctest/doctest.h>

#include <set>

#include "base/error.h"
#include "base/fake.h"
#include "supervise/world_test.h"

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

TEST_CASE("a wanted group runs, each slot once and on a port of its own, and becomes ready by its gate") {
  World w;
  w.prober.verdict = kRefused;
  w.control->want(web(3));
  w.turn();
  CHECK(w.engine.live().size() == 3);
  std::set<std::uint16_t> ports;
  for (const InstanceStatus& status : w.control->statuses()) {
    CHECK(status.health == Health::starting);
    CHECK(status.app == "shop");
    CHECK(status.service == "web");
    ports.insert(status.address.port);
  }
  CHECK(ports.size() == 3);
  w.prober.verdict = {.accepted = true, .passed = true, .failure = ""};
  w.pass(5ms);
  w.pass(5ms);
  int slot = 0;
  for (const InstanceStatus& status : w.control->statuses()) {
    CHECK(status.slot == ++slot);
    CHECK(status.health == Health::ready);
    CHECK(status.reason.empty());
    CHECK(status.executed.has_value());
    CHECK(status.accepted.has_value());
    CHECK(status.ready_since.has_value());
  }
}

TEST_CASE("wanting the same again changes nothing, other contents under the same id are a conflict") {
  World w;
  w.control->want(web(2));
  w.turn();
  w.control->want(web(2));
  w.turn();
  CHECK(w.engine.started().size() == 2);
  CHECK(kind_of([&] { w.control->want(web(3)); }) == Error::conflict);
  w.control->unwant(web().id);
  CHECK(kind_of([&] { w.control->want(web(2)); }) == Error::conflict);
}

TEST_CASE("a group that cannot work is refused") {
  World w;
  Group no_port = web();
  no_port.has_port = false;
  CHECK(kind_of([&] { w.control->want(no_port); }) == Error::invalid);
  Group no_command = web();
  no_command.gate.kind = Gate::Kind::command;
  CHECK(kind_of([&] { w.control->want(no_command); }) == Error::invalid);
  CHECK(w.control->wanted().empty());
}

TEST_CASE("an unwanted group is stopped, shows as stopping, and is gone when the last instance is") {
  World w;
  w.engine.stops_vanish = false;
  w.control->want(web(2));
  w.turn();
  w.control->unwant(web().id);
  w.turn();
  auto statuses = w.control->statuses();
  REQUIRE(statuses.size() == 2);
  CHECK(statuses[0].health == Health::stopping);
  CHECK(w.control->wanted().empty());
  w.engine.vanish(statuses[0].id);
  w.turn();
  CHECK(w.control->present().size() == 1);
  w.engine.vanish(statuses[1].id);
  w.turn();
  CHECK(w.control->present().empty());
  w.control->want(web(1));
  w.turn();
  CHECK(w.engine.live().size() == 1);
}

TEST_CASE("a group that grows starts what is missing and leaves the others alone") {
  World w;
  w.control->want(web(2));
  w.turn();
  const auto before = w.control->statuses();
  w.control->resize({"shop/web@v1"}, 4);
  w.turn();
  const auto after = w.control->statuses();
  REQUIRE(after.size() == 4);
  CHECK(after[0] == before[0]);
  CHECK(after[1] == before[1]);
  CHECK(after[3].health == Health::ready);
  CHECK(w.control->wanted().front().replicas == 4);
  w.restart_control();
  w.turn();
  CHECK(w.control->statuses().size() == 4);
  CHECK(w.engine.started().size() == 4);
}

TEST_CASE("a group that shrinks stops its last slots, also when control dies in between, and down to none") {
  World w;
  w.engine.stops_vanish = false;
  w.control->want(web(3));
  w.turn();
  const auto before = w.control->statuses();
  w.crash_at = "supervise.resize.commit.after";
  CHECK_THROWS(w.control->resize({"shop/web@v1"}, 1));
  w.restart_control();
  w.turn();
  auto after = w.control->statuses();
  REQUIRE(after.size() == 3);
  CHECK(after[0].id == before[0].id);
  CHECK(after[0].health == Health::ready);
  for (int i : {1, 2}) {
    CHECK(after[i].health == Health::stopping);
    w.engine.vanish(after[i].id);
  }
  w.turn();
  CHECK(w.control->statuses().size() == 1);

  w.control->resize({"shop/web@v1"}, 0);
  w.turn();
  w.engine.vanish(before[0].id);
  w.turn();
  CHECK(w.control->statuses().empty());
  CHECK(w.control->present().size() == 1);
  w.control->resize({"shop/web@v1"}, 1);
  w.turn();
  CHECK(w.only().health == Health::ready);
  CHECK(w.only().id != before[0].id);
}

TEST_CASE("what does not run has no size") {
  World w;
  CHECK_THROWS_WITH(w.control->resize({"shop/web@v1"}, 2), doctest::Contains("does not run"));
}

TEST_CASE("unwanting what nobody knows is no error") {
  World w;
  w.control->unwant({"nobody"});
  w.turn();
}

TEST_CASE("what exits is started again at once, under a new id, and says why until it is ready") {
  World w;
  w.control->want(web());
  w.turn();
  InstanceId first = w.id();
  w.prober.verdict = kRefused;
  w.clock.advance(120ms);
  w.engine.exit(first, Exit{.code = 3});
  w.turn();
  InstanceStatus status = w.only();
  CHECK(status.id != first);
  CHECK(status.health == Health::starting);
  CHECK(status.restarts == 1);
  CHECK(status.exit == Exit{.code = 3});
  CHECK(status.reason == "exited with code 3, 120 ms after start");
  CHECK(w.engine.live().size() == 1);
  CHECK(w.engine.present() == 1);
  w.prober.verdict = {.accepted = true, .passed = true, .failure = ""};
  w.pass(5ms);
  w.pass(5ms);
  CHECK(w.only().health == Health::ready);
  CHECK(w.only().reason.empty());
  CHECK(w.only().restarts == 1);
}

TEST_CASE("a crash loop is tried after 0, 1, 2, 4 ... 60 s, and waits between") {
  World w;
  w.control->want(web());
  w.turn();
  std::vector<std::chrono::nanoseconds> delays;
  for (int i = 0; i < 9; ++i) {
    InstanceId crashing = w.id();
    w.engine.exit(crashing, Exit{.code = 1});
    w.turn();
    if (w.only().health != Health::waiting) {
      delays.push_back(0s);
      continue;
    }
    auto delay = *w.only().restart_at - w.clock.now();
    delays.push_back(delay);
    CHECK(w.only().id == crashing);
    CHECK(w.engine.present() == 0);
    w.pass(delay - 1ns);
    CHECK(w.only().health == Health::waiting);
    w.pass(1ns);
    CHECK(w.only().id != crashing);
  }
  CHECK(delays == std::vector<std::chrono::nanoseconds>{0s, 1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s});
  CHECK(w.only().restarts == 9);
  w.pass(10s);
  w.engine.exit(w.id(), Exit{.code = 1});
  w.turn();
  CHECK(w.only().restarts == 10);  // alive for 10 s: at once again
}

TEST_CASE("a jump of the wall clock changes nothing") {
  World w;
  w.control->want(web());
  w.turn();
  for (int i = 0; i < 2; ++i) {
    w.engine.exit(w.id(), Exit{.code = 1});
    w.turn();
  }
  REQUIRE(w.only().health == Health::waiting);
  auto before = w.control->statuses();
  for (auto jump : {3600s, -7200s}) {
    w.clock.set_wall(w.clock.wall() + jump);
    w.turn();
    CHECK(w.control->statuses() == before);
    w.restart_control();
    w.turn();
    CHECK(w.control->statuses() == before);
  }
  w.pass(1s);
  CHECK(w.only().health != Health::waiting);
}

TEST_CASE("a one-shot that exits 0 is completed and stays so") {
  World w;
  Group once = web();
  once.gate = {};
  w.control->want(once);
  w.turn();
  w.engine.exit(w.id(), Exit{});
  w.turn();
  CHECK(w.only().health == Health::completed);
  w.restart_control();
  w.pass(1h);
  CHECK(w.only().health == Health::completed);
  CHECK(w.engine.started().size() == 1);
  CHECK(w.only().exit == Exit{});
}

TEST_CASE("what never ran says the engine's words") {
  World w;
  Group group = web();
  group.restart.kind = RestartPolicy::no;
  w.engine.next_start_fails = "execute ./web: No such file or directory";
  w.control->want(group);
  w.turn();
  CHECK(w.only().health == Health::failed);
  CHECK(w.only().reason == "execute ./web: No such file or directory");
  CHECK(w.only().exit == std::nullopt);
}

TEST_CASE("an instance whose shim was killed is replaced at once") {
  World w;
  w.control->want(web());
  w.turn();
  w.engine.die(w.id(), "its shim was killed");
  w.prober.verdict = kRefused;
  w.turn();
  CHECK(w.only().health == Health::starting);
  CHECK(w.only().reason == "its shim was killed");
  CHECK(w.only().restarts == 1);
}

TEST_CASE("an instance that vanishes without a trace is replaced") {
  World w;
  w.control->want(web());
  w.turn();
  InstanceId lost = w.id();
  w.engine.vanish(lost);
  w.turn();
  CHECK(w.only().id != lost);
  CHECK(w.engine.live().size() == 1);
}

TEST_CASE("who is not ready in time fails with the reason, is stopped, and is not started again by itself") {
  World w;
  w.prober.verdict = k500;
  w.control->want(web());
  w.turn();
  w.pass(59s);
  CHECK(w.only().health == Health::starting);
  CHECK(w.only().reason == k500.failure);
  w.pass(1s);
  CHECK(w.only().health == Health::failed);
  CHECK(w.only().reason == "not ready after 60.0 s: GET /up answered 500, expected 200-399");
  CHECK(w.engine.present() == 0);
  w.restart_control();
  w.pass(1h);
  CHECK(w.only().health == Health::failed);
  CHECK(w.engine.started().size() == 1);
}

TEST_CASE("who listens in the wrong place is told at once and fails after 2 s") {
  World w;
  w.prober.verdict = kRefused;
  w.control->want(web());
  w.turn();
  w.engine.set_listeners(w.id(), {{{.host = "127.0.0.1", .port = 3000, .path = ""}}});
  w.pass(100ms);
  CHECK(w.only().wrong_listener);
  CHECK(w.only().reason == "listens on 127.0.0.1:3000, expected 0.0.0.0:20000 ($PORT)");
  CHECK(w.only().health == Health::starting);
  for (int i = 0; i < 8; ++i) w.pass(250ms);
  CHECK(w.only().health == Health::failed);
  CHECK(w.only().reason == "listens on 127.0.0.1:3000, expected 0.0.0.0:20000 ($PORT)");
  CHECK(w.engine.present() == 0);
}

TEST_CASE("who cannot be asked where it listens delays nobody") {
  World w;
  w.prober.verdict = kRefused;
  w.control->want(web(2));
  w.turn();
  auto statuses = w.control->statuses();
  w.clock.advance(100ms);
  w.engine.exit(statuses[0].id, Exit{.code = 1});
  w.control->step();  // its end is not observed yet
  w.engine.set_listeners(statuses[1].id, {{{.host = "127.0.0.1", .port = 3000, .path = ""}}});
  w.pass(250ms);
  CHECK(w.control->statuses()[0].restarts == 1);
  CHECK(w.control->statuses()[1].wrong_listener);
}

TEST_CASE("a failed probe makes it unready with the reason, and it is not started again for it") {
  World w;
  w.control->want(web());
  w.turn();
  w.pass(5ms);
  CHECK(w.only().health == Health::ready);
  w.prober.verdict = k500;
  w.pass(250ms);
  w.turn();
  CHECK(w.only().health == Health::unready);
  CHECK(w.only().reason == k500.failure);
  CHECK(w.only().unready_since.has_value());
  CHECK(w.engine.started().size() == 1);
}

TEST_CASE("probes are rare once nobody looks closely, also after control was restarted") {
  World w;
  w.control->want(web());
  w.turn();
  w.pass(5ms);
  w.control->watch_closely(web().id, false);
  w.restart_control();
  w.turn();
  w.turn();
  w.prober.probed.clear();
  for (int i = 0; i < 100; ++i) w.pass(250ms);
  CHECK(w.prober.probed.size() <= 3);
  w.control->watch_closely(web().id, true);
  w.restart_control();
  w.prober.probed.clear();
  for (int i = 0; i < 100; ++i) w.pass(250ms);
  CHECK(w.prober.probed.size() >= 90);
}

TEST_CASE("an adopted instance that was ready is ready from the first moment, and is probed at once") {
  World w;
  w.control->want(web(3));
  w.turn();
  w.pass(5ms);
  auto before = w.control->statuses();
  w.restart_control();
  for (const InstanceStatus& status : w.control->statuses()) CHECK(status.health == Health::ready);
  w.prober.probed.clear();
  w.turn();
  CHECK(w.prober.probed.size() == 3);
  CHECK(w.engine.started().size() == 3);
  auto after = w.control->statuses();
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(after[i].id == before[i].id);
    CHECK(after[i].address == before[i].address);
    CHECK(after[i].ready_since == before[i].ready_since);
    CHECK(after[i].health == Health::ready);
  }
}

TEST_CASE("what exited while no control looked is started again by the next") {
  World w;
  w.control->want(web(2));
  w.turn();
  InstanceId first = w.control->statuses()[0].id;
  w.control.reset();
  w.engine.exit(first, Exit{.code = 0, .signal = 9});
  w.restart_control();
  w.turn();
  CHECK(w.engine.live().size() == 2);
  CHECK(w.control->statuses()[0].id != first);
  CHECK(w.control->statuses()[0].restarts == 1);
}

TEST_CASE("after a reboot everything that should run is started again at once") {
  World w;
  w.control->want(web(2));
  w.turn();
  w.pass(5ms);
  w.database->write([](store::Transaction& t) {
    t.execute("update instances set boot_id = 'another', since = 1, made_at = 1");
  });
  w.control.reset();
  w.engine.vanish_all();
  w.restart_control();
  w.prober.verdict = kRefused;
  w.turn();
  CHECK(w.engine.live().size() == 2);
  CHECK(w.control->statuses()[0].health == Health::starting);
  CHECK(w.control->statuses()[0].reason == "the machine was restarted");
}

TEST_CASE("what runs without a row is stopped") {
  World w;
  w.engine.add_stray({"ghost/web@v9"}, {"stray"});
  w.control->want(web());
  w.turn();
  CHECK(w.engine.present() == 1);
  CHECK(w.engine.live().front().group == web().id);
}

TEST_CASE("an instance that is no newest try of its slot is stopped on adoption") {
  World w;
  w.control->want(web());
  w.turn();
  w.control.reset();
  w.engine.add_stray(web().id, {"left over"});
  w.restart_control();
  w.turn();
  CHECK(w.engine.present() == 1);
  CHECK(w.engine.live().front().id == w.id());
}

TEST_CASE("a database that refuses keeps everything as it is, until it no longer does") {
  World w;
  w.control->want(web());
  w.turn();
  w.database->write([](store::Transaction& t) {
    t.execute("create trigger full before insert on instances begin select raise(abort, 'disk full'); end");
  });
  InstanceId crashed = w.id();
  w.engine.exit(crashed, Exit{.code = 1});
  w.control->observe();
  CHECK(w.control->step() == w.clock.now() + 1s);
  CHECK(w.id() == crashed);
  CHECK(w.engine.started().size() == 1);
  w.database->write([](store::Transaction& t) { t.execute("drop trigger full"); });
  w.pass(1s);
  CHECK(w.id() != crashed);
  CHECK(w.engine.live().size() == 1);
}

TEST_CASE("a kill for want of memory is told with the limit") {
  World w;
  Group group = web();
  group.workload.limits.memory = 512 << 20;
  w.control->want(group);
  w.turn();
  w.clock.advance(1400ms);
  w.prober.silent = true;
  w.engine.kill_for_memory(w.id());
  w.turn();
  CHECK(w.only().restarts == 1);
  CHECK(w.only().reason == "killed by the kernel: over its 512 MiB limit, 1.4 s after start");
}
