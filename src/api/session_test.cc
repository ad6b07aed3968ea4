#include <doctest/doctest.h>

#include "api/world_test.h"

using namespace holdall;
using namespace holdall::api;

namespace {

/// A client that holds a session until `end`.
class Session {
 public:
  explicit Session(World& world)
      : thread_([this, address = world.server->address()] {
          net::stream(address, {.method = "POST", .target = "/v1/session"},
                      Deadline::after(std::chrono::seconds(30)), [this](std::string_view) {
                        ready_.set();
                        return !ending_.wait();  // hangs up when told to
                      });
        }) {}
  ~Session() { end(); }

  bool ready() { return ready_.wait(); }
  void end() {
    ending_.set();
    if (thread_.joinable()) thread_.join();
  }

 private:
  Signal ready_, ending_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("when its last session closes, a private server stops every instance and exits") {
  World world(true);
  Session first(world), second(world);
  REQUIRE(first.ready());
  REQUIRE(second.ready());
  world.run("grey");
  first.end();
  CHECK(world.get("/v1/apps").at("apps").items().size() == 1);
  CHECK_FALSE(world.exited.is_set());
  second.end();
  CHECK(world.exited.wait());
  CHECK(world.supervisor.wanted().empty());
}

TEST_CASE("a session that has detached stops nothing when it closes") {
  World world(true);
  Session session(world);
  REQUIRE(session.ready());
  world.run("grey");
  CHECK(world.call("POST", "/v1/session/detach").status == 200);
  session.end();
  CHECK(std::filesystem::exists(world.state.path / "detached"));
  // A session after it that ends without detaching stops what the first one left: so the first did not.
  CHECK(world.supervisor.wanted().size() == 1);
  Session next(world);
  REQUIRE(next.ready());
  next.end();
  CHECK(world.exited.wait());
}

TEST_CASE("stopping a private server tells of each instance that is gone") {
  World world(true);
  Session session(world);
  REQUIRE(session.ready());
  world.run("grey");
  auto told = net::fetch(world.server->address(), {.method = "POST", .target = "/v1/session/stop"},
                         Deadline::after(std::chrono::seconds(20)));
  REQUIRE(told.status == 200);
  net::SseParser parser;
  auto events = parser.feed(told.body);
  REQUIRE(events.size() == 1);
  CHECK(events[0].name == "stopped");
  CHECK(Json::parse(events[0].data).at("service").string() == "web");
  CHECK(world.exited.wait());
}

TEST_CASE("a release that is under way is cancelled by the end of the session") {
  World world(true);
  Session session(world);
  REQUIRE(session.ready());
  world.supervisor.begins("web", supervise::Health::starting);
  REQUIRE(world.call("POST", "/v1/apps/hello/releases", world.hello("grey")).status == 201);
  session.end();
  CHECK(world.exited.wait());
  CHECK(world.supervisor.wanted().empty());
}

TEST_CASE("when control ends, closing sessions stop nothing") {
  World world(true);
  Session session(world);
  REQUIRE(session.ready());
  world.run("grey");
  world.api->stop();
  session.end();
  world.server->stop();
  CHECK(world.supervisor.wanted().size() == 1);
  CHECK_FALSE(world.exited.is_set());
}
