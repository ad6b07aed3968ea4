// What goes on beside a release and after a control that went away.

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/error.h"
#include "release/house_test.h"

using namespace holdall;
using namespace holdall::release;
using supervise::Health;

namespace {

/// Its first drain lasts until a table has the targets again.
class SlowRouter final : public router::Router {
 public:
  std::vector<router::Unbound> bind(const std::vector<router::Listener>& listeners) override {
    return inner.bind(listeners);
  }
  std::vector<router::Unbound> publish(const router::RouteTable& table, Deadline deadline) override {
    auto unbound = inner.publish(table, deadline);
    std::lock_guard lock(mutex_);
    targets_.clear();
    for (const auto& pool : table.pools) {
      for (const auto& target : pool.targets) targets_.push_back(target.id);
    }
    changed_.notify_all();
    return unbound;
  }
  Drained drain(const std::vector<InstanceId>& targets, Deadline deadline) override {
    std::unique_lock lock(mutex_);
    if (draining_) return {};
    draining_ = true;
    changed_.notify_all();
    changed_.wait_until(lock, deadline.at(), [&] {
      return left_ || std::ranges::any_of(targets, [&](const InstanceId& id) {
               return std::ranges::find(targets_, id) != targets_.end();
             });
    });
    return {.complete = false};
  }
  void leave_drains() override {
    std::lock_guard lock(mutex_);
    left_ = true;
    changed_.notify_all();
  }
  std::optional<router::Counters> counters(Deadline) override { return std::nullopt; }

  void wait_for_drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return draining_; });
  }

  router::FakeRouter inner;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<InstanceId> targets_;
  bool draining_ = false, left_ = false;
};

}  // namespace

TEST_CASE("a version that fails during the drain is taken back without waiting for the drain") {
  SlowRouter slow;
  House house;
  house.router = &slow;
  house.restart();
  house.run(house.web("grey"));
  const int number = house.deploy(house.web("green"));
  slow.wait_for_drain();
  house.supervisor.set({"hello/web@v2"}, 1, Health::waiting, "exited with code 1, 2 s after start");
  const Release failed = house.finish(number);
  CHECK(failed.step == Step::failed);
  CHECK(slow.inner.last_table().pools.at(0).targets.at(0).release == "hello/v1");
}

TEST_CASE("the end of control leaves a drain and the release that waits for it") {
  SlowRouter slow;
  House house;
  house.router = &slow;
  house.restart();
  house.run(house.web("grey"));
  const int number = house.deploy(house.web("green"));
  slow.wait_for_drain();
  house.releases.reset();
  CHECK(house.wanted() == Strings{"hello/web@v1", "hello/web@v2"});
  house.router = &house.fake_router;
  // The next control has another router at its end: it takes any version.
  house.restart();
  CHECK(house.finish(number).step == Step::live);
}

TEST_CASE("an address that a stranger took leaves the app routed and says so, until it is free again") {
  House house;
  house.run(house.request(
      R"("web": {"command": ["serve"], "ports": [{"mode": "ingress", "target": 80, "published": "5432", "protocol": "tcp"}],
                 "deploy": {"update_config": {"monitor": "0s"}}})"));
  house.fake_router.take_address({"", 5432, {}});
  house.restart();
  const auto wait_for_problems = [&](std::size_t n) {
    const Deadline deadline = Deadline::after(std::chrono::seconds(20));
    while (house.releases->status("hello").problems.size() != n && !deadline.passed())
      house.supervisor.wait(~0ULL, Deadline::after(std::chrono::milliseconds(1)));
    return house.releases->status("hello").problems;
  };
  CHECK(wait_for_problems(1) == Strings{"address :5432 is in use"});
  CHECK(house.targets() == Strings{"hello/web@v1#1"});
  house.fake_router.release_addresses();
  CHECK(wait_for_problems(0).empty());
}

TEST_CASE("an instance that turns unready while nothing is released leaves the table, and comes back") {
  House house;
  house.run(house.web("grey", 2));
  const auto wait_for_targets = [&](std::size_t n) {
    const Deadline deadline = Deadline::after(std::chrono::seconds(20));
    while (house.targets().size() != n && !deadline.passed())
      house.supervisor.wait(~0ULL, Deadline::after(std::chrono::milliseconds(1)));
    return house.targets();
  };
  house.supervisor.set({"hello/web@v1"}, 1, Health::unready);
  CHECK(wait_for_targets(1) == Strings{"hello/web@v1#2"});
  house.supervisor.set({"hello/web@v1"}, 1, Health::ready);
  CHECK(wait_for_targets(2).size() == 2);
}

TEST_CASE(
    "control that comes back publishes what its router may have missed, at once and under a new version") {
  House house;
  house.run(house.web("grey"));
  const std::uint64_t before = house.fake_router.last_table().version;
  house.restart();
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  while (house.fake_router.last_table().version == before && !deadline.passed()) {
    house.supervisor.wait(~0ULL, Deadline::after(std::chrono::milliseconds(1)));
  }
  CHECK(house.fake_router.last_table().version > before);
  CHECK(house.targets() == Strings{"hello/web@v1#1"});
}

TEST_CASE("a release that is resumed tells nothing twice") {
  House house;
  house.supervisor.begins("web", Health::starting);
  const int number = house.deploy(house.web("grey", 2));
  house.follow_to(number, "start");
  house.supervisor.set({"hello/web@v1"}, 1, Health::ready);
  house.follow_to(number, "ready");
  house.restart();
  house.supervisor.set({"hello/web@v1"}, 2, Health::ready);
  house.finish(number);
  CHECK(kinds(house.releases->follow("hello", number, 0, Deadline::never())) ==
        Strings{"plan", "start", "ready", "ready", "switch", "live", "done"});
}

namespace {

/// hello v1 serves, v2 is in its watch when control ends.
int end_in_the_watch(House& house) {
  house.run(house.web("grey"));
  const int number = house.deploy_to_watch("green");
  house.releases.reset();
  return number;
}

/// Whether it waits for something: it tells nothing more for longer than a step takes.
bool stands_still(House& house, int number) {
  const auto told = house.releases->follow("hello", number, 0, Deadline::never());
  return house.releases
      ->follow("hello", number, std::ssize(told), Deadline::after(std::chrono::milliseconds(300)))
      .empty();
}

/// The same, with the machine restarted, as the database has it then.
int reboot_in_the_watch(House& house) {
  const int number = end_in_the_watch(house);
  house.database->write([](store::Transaction& t) {
    t.execute("update releases set boot_id = 'before', report = replace(report, ?, 'before')", {boot_id()});
  });
  return number;
}

}  // namespace

TEST_CASE("a watch that was over before control came back ends when every new instance has passed a probe") {
  House house;
  const int number = end_in_the_watch(house);
  house.clock.advance(std::chrono::hours(1));
  house.supervisor.forget_probes();
  house.restart();
  CHECK(stands_still(house, number));
  house.supervisor.set({"hello/web@v2"}, 1, Health::ready);
  CHECK(house.finish(number).step == Step::live);
}

TEST_CASE(
    "a version that turned sick while no control looked is taken back, though its watch would be over") {
  House house;
  const int number = end_in_the_watch(house);
  house.clock.advance(std::chrono::hours(1));
  house.supervisor.forget_probes();
  house.restart();
  CHECK(stands_still(house, number));
  house.supervisor.set({"hello/web@v2"}, 1, Health::unready, "GET /up answered 500");
  CHECK(house.finish(number).step == Step::failed);
  CHECK(house.targets() == Strings{"hello/web@v1#1"});
}

TEST_CASE("a watch ends with a last look at every new instance, however long ago the one before was") {
  for (const Health found : {Health::ready, Health::unready}) {
    House house;
    house.run(house.web("grey"));
    const int number = house.deploy_to_watch("green");
    house.supervisor.stop_answering();
    house.clock.advance(std::chrono::seconds(10));
    CHECK(stands_still(house, number));
    house.supervisor.set({"hello/web@v2"}, 1, found, found == Health::ready ? "" : "GET /up answered 500");
    CHECK(house.finish(number).step == (found == Health::ready ? Step::live : Step::failed));
    CHECK(house.targets() == Strings{found == Health::ready ? "hello/web@v2#1" : "hello/web@v1#1"});
  }
}

TEST_CASE("after a reboot in the watch, a version that is ready again stays") {
  House house;
  const int number = reboot_in_the_watch(house);
  house.restart();
  CHECK(house.finish(number).step == Step::live);
  CHECK(house.wanted() == Strings{"hello/web@v2"});
}

TEST_CASE("after a reboot in the watch, a version that is not ready gives way to the old one") {
  House house;
  const int number = reboot_in_the_watch(house);
  house.supervisor.set({"hello/web@v2"}, 1, Health::starting);
  house.restart();
  const Release failed = house.finish(number);
  CHECK(failed.step == Step::failed);
  CHECK(failed.reason == "the machine restarted during the watch");
  CHECK(house.targets() == Strings{"hello/web@v1#1"});
}
