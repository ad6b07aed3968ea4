#include "base/error.h"
#include "release/house_test.h"

using namespace holdall;
using namespace holdall::release;
using namespace std::chrono_literals;

TEST_CASE("maintenance is in the table, outlives control and releases, and ends when somebody says so") {
  House house;
  CHECK_THROWS_WITH(house.releases->set_maintenance("hello", Maintenance{}), "no app 'hello'");
  house.run(house.web("grey"));
  const Maintenance wanted{60s, "uid 0 (root)", house.clock.wall()};
  house.releases->set_maintenance("hello", wanted);
  const auto held = [&] { return house.fake_router.last_table().pools.at(0).maintenance; };
  CHECK(held() == std::optional<std::chrono::milliseconds>(60s));
  house.restart();
  CHECK(house.releases->status("hello").maintenance == wanted);
  CHECK(house.run(house.web("green")).step == Step::live);
  CHECK(held() == std::optional<std::chrono::milliseconds>(60s));
  CHECK(house.targets() == Strings{"hello/web@v2#1"});
  // Its own services go on reaching each other.
  for (const router::Listener& listener : house.fake_router.last_table().listeners) {
    if (listener.pool == "hello/web") CHECK(listener.internal == (listener.address.host == "127.0.0.1"));
  }
  house.releases->set_maintenance("hello", std::nullopt);
  CHECK_FALSE(held().has_value());
  CHECK_FALSE(house.releases->status("hello").maintenance.has_value());
}

TEST_CASE("requests told of maintenance are in the report, and did not fail") {
  House house;
  house.run(house.web("grey"));
  router::Counters counters;
  counters.releases["hello/"].maintenance = 3;
  counters.releases["other/"].failed["no instance"] = 4;
  house.fake_router.set_counters(router::Counters());
  const int number = house.deploy(house.web("green"));
  house.fake_router.set_counters(counters);
  house.finish(number);
  house.fake_router.set_counters(router::Counters());
  const int next = house.deploy(house.web("blue"));
  house.fake_router.on_publish([&](const router::RouteTable&) { house.fake_router.set_counters(counters); });
  const Json requests = house.finish(next).report.at("requests");
  house.fake_router.on_publish(nullptr);
  CHECK(requests.at("maintenance").integer() == 3);
  CHECK(requests.at("failed").integer() == 0);
}
