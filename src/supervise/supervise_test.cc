#include "supervise/supervise.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <thread>

#include "base/error.h"
#include "engine/fake.h"
#include "net/socket.h"
#include "schema/schema.h"

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

namespace {

struct World {
  engine::FakeEngine engine{system_clock()};
  std::unique_ptr<store::Database> database = store::open_sqlite(":memory:");
  std::unique_ptr<Supervisor> supervisor;

  World() {
    database->migrate(schema());
    restart();
  }
  void restart() {
    supervisor.reset();
    supervisor = make_supervisor(engine, *database, system_clock());
  }

  /// The first snapshot that fits; fails the test when none does for long.
  template <typename Fits>
  std::shared_ptr<const Snapshot> until(Fits fits) {
    Deadline deadline = Deadline::after(30s);
    auto snapshot = supervisor->snapshot();
    while (!fits(*snapshot)) {
      REQUIRE_FALSE(deadline.passed());
      snapshot = supervisor->wait(snapshot->version, deadline);
    }
    return snapshot;
  }
};

Group worker(const std::string& id = "shop/worker@v1", int replicas = 1) {
  Group group{.id = {id}, .workload = {}, .replicas = replicas, .gate = {}, .restart = {}};
  group.workload.app = "shop";
  group.workload.service = "worker";
  group.workload.command = {"./worker"};
  return group;
}

auto all(Health health, std::size_t count) {
  return [=](const Snapshot& snapshot) {
    return snapshot.instances.size() == count &&
           std::ranges::all_of(snapshot.instances,
                               [&](const InstanceStatus& each) { return each.health == health; });
  };
}

}  // namespace

TEST_CASE("a wanted group becomes ready and an unwanted one goes") {
  World w;
  w.supervisor->want(worker());
  w.until(all(Health::ready, 1));
  CHECK(w.supervisor->wanted() == std::vector<Group>{worker()});
  CHECK(w.supervisor->snapshot()->of(worker().id).size() == 1);
  CHECK(w.supervisor->snapshot()->of({"other"}).empty());
  CHECK_FALSE(w.supervisor->gone({worker().id}, Deadline::after(0s)));
  w.supervisor->unwant(worker().id);
  CHECK(w.supervisor->gone({worker().id, {"never heard of"}}, Deadline::after(30s)));
  CHECK(w.supervisor->snapshot()->instances.empty());
  CHECK(w.supervisor->wanted().empty());
}

TEST_CASE("an error of want reaches its caller") {
  World w;
  w.supervisor->want(worker());
  CHECK_THROWS_AS(w.supervisor->want(worker("shop/worker@v1", 2)), Error);
}

TEST_CASE("wait gives the present snapshot at the deadline when nothing happens") {
  World w;
  auto seen = w.supervisor->snapshot()->version;
  CHECK(w.supervisor->wait(seen, Deadline::after(1ms))->version == seen);
}

TEST_CASE("instances run on when the supervisor goes, and the next one adopts them as ready") {
  World w;
  w.supervisor->want(worker("shop/worker@v1", 3));
  auto before = w.until(all(Health::ready, 3));
  w.restart();
  auto after = w.supervisor->snapshot();
  CHECK(all(Health::ready, 3)(*after));
  for (std::size_t i = 0; i < 3; ++i) CHECK(after->instances[i].id == before->instances[i].id);
  CHECK(w.engine.started().size() == 3);
}

TEST_CASE("many callers at once are all served") {
  World w;
  constexpr int kCallers = 8;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kCallers; ++i) {
      callers.emplace_back([&, i] {
        Group group = worker("shop/" + std::to_string(i));
        w.supervisor->want(group);
        w.supervisor->watch_closely(group.id, false);
        if (i % 2) w.supervisor->unwant(group.id);
      });
    }
  }
  w.until(all(Health::ready, kCallers / 2));
  CHECK(w.supervisor->wanted().size() == kCallers / 2);
}

TEST_CASE("a port is found ready soon after it accepts, and unready when it no longer does") {
  World w;
  Group group = worker();
  group.has_port = true;
  group.gate.kind = Gate::Kind::port;
  group.gate.interval = 20ms;
  Fd listener = net::listen({.host = "127.0.0.1", .port = 0, .path = ""});
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&own), &size);
  w.engine.offer_port(net::address_of(own).port);
  w.supervisor->want(group);
  auto ready = w.until(all(Health::ready, 1))->instances.front();
  CHECK(ready.address == net::address_of(own));
  CHECK(*ready.accepted - *ready.executed < 1s);
  listener.reset();
  auto unready = w.until(all(Health::unready, 1))->instances.front();
  CHECK(unready.reason == net::text(unready.address) + " refuses connections");
}

TEST_CASE("what exits is replaced within milliseconds") {
  World w;
  w.supervisor->want(worker());
  InstanceId first = w.until(all(Health::ready, 1))->instances.front().id;
  Instant before = BootClock::now();
  w.engine.exit(first, Exit{.code = 1});
  w.until([&](const Snapshot& s) {
    return s.instances.front().id != first && s.instances.front().health == Health::ready;
  });
  CHECK(BootClock::now() - before < 1s);  // generous for a loaded machine; typically under 1 ms
  CHECK(w.engine.live().size() == 1);
}
