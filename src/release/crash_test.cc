// A release that is interrupted at any of its failpoints goes on, or back, when control comes back.

#include <atomic>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/guarded.h"
#include "release/house_test.h"

using namespace holdall;
using namespace holdall::release;
using supervise::Health;

namespace {

/// What a crash looks like from inside: from `point` on, nothing that has a failpoint happens any more.
struct Abandoned {};

class Crash {
 public:
  explicit Crash(std::string point) : point_(std::move(point)) {}

  void at_point(const char* name) {
    if (name == point_) dead_ = true;
    if (dead_) throw Abandoned{};
    passed_.lock()->insert(name);
  }

  bool dead() const { return dead_; }
  std::set<std::string> passed() { return *passed_.lock(); }

 private:
  const std::string point_;
  std::atomic<bool> dead_{false};
  Guarded<std::set<std::string>> passed_;
};

bool is_settled(House& house) {
  for (const std::string& app : house.releases->apps()) {
    try {
      if (house.releases->status(app).moving) return false;
    } catch (const Error& error) {
      if (error.kind() != Error::missing) throw;  // it was destroyed meanwhile
    }
  }
  return true;
}

void wait_until(const std::function<bool()>& done) {
  FakeClock still;
  supervise::FakeSupervisor nothing(still);
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  while (!done()) {
    REQUIRE_FALSE(deadline.passed());
    nothing.wait(0, Deadline::after(std::chrono::milliseconds(1)));
  }
}

/// v1 serves; then `story` runs and dies at `point`. Returns the points it passed.
std::set<std::string> live_through(const std::string& point, const std::function<void(House&)>& story,
                                   bool destroys, int replicas) {
  House house;
  house.run(house.web("grey", replicas));
  Crash crash(point);
  house.options.at_point = [&](const char* name) { crash.at_point(name); };
  house.restart();
  try {
    story(house);
  } catch (const Abandoned&) {
  }
  wait_until([&] { return crash.dead() || is_settled(house); });
  house.releases.reset();

  house.options.at_point = nullptr;
  house.fake_router.on_publish(nullptr);
  house.supervisor.begins("web", Health::ready);
  house.restart();
  wait_until([&] { return is_settled(house); });
  if (!destroys) {
    const AppStatus status = house.releases->status("hello");
    REQUIRE(status.serving.has_value());
    const auto wanted = house.supervisor.wanted();
    REQUIRE(wanted.size() == 1);
    std::string groups;
    house.database->read([&](store::Transaction& t) {
      t.query("select groups from releases join apps on id = app_id and serving = number", {},
              [&](const store::Row& row) { groups = row.text(0); });
    });
    CHECK(groups == R"({"web":")" + wanted[0].id.value + R"("})");
    Strings targets;
    for (int slot = 1; slot <= wanted[0].replicas; ++slot)
      targets.push_back(wanted[0].id.value + "#" + std::to_string(slot));
    wait_until([&] { return house.targets() == targets; });
    for (const Release& release : house.releases->list("hello")) CHECK(is_final(release.step));
  }
  wait_until([&] {
    try {
      return house.run(house.web("blue")).step == Step::live;
    } catch (const Error& error) {
      // It is still being destroyed.
      if (!destroys || error.kind() != Error::conflict) throw;
      return false;
    }
  });
  REQUIRE(house.wanted().size() == 1);
  CHECK(std::ssize(house.targets()) == house.supervisor.wanted()[0].replicas);
  return crash.passed();
}

void deploy(House& house) {
  const auto release = house.releases->deploy(house.web("green"));
  REQUIRE(release.has_value());
}

void deploy_with_command(House& house) {
  house.supervisor.begins("web.release", Health::completed);
  Request wanted = house.web("green");
  wanted.model["services"]["web"]["x-holdall"]["release_command"] = Json::parse(R"(["migrate"])");
  const auto release = house.releases->deploy(wanted);
  REQUIRE(release.has_value());
}

void grow(House& house) { house.releases->scale("hello", {{"web", 3}}, {}, "me"); }
void shrink(House& house) { house.releases->scale("hello", {{"web", 1}}, {}, "me"); }

void grow_what_crashes(House& house) {
  house.supervisor.begins("web", Health::waiting, "exited with code 3");
  grow(house);
}

void deploy_what_crashes(House& house) {
  house.supervisor.begins("web", Health::waiting, "exited with code 3");
  deploy(house);
}

/// Turns unready as soon as it is in the table.
void deploy_what_turns_unready(House& house) {
  auto once = std::make_shared<std::atomic<bool>>(false);
  house.fake_router.on_publish([&house, once](const router::RouteTable& table) {
    for (const auto& pool : table.pools) {
      for (const auto& target : pool.targets) {
        if (target.release != "hello/v2" || once->exchange(true)) continue;
        house.supervisor.set({"hello/web@v2"}, 1, Health::unready, "GET /up answered 500");
      }
    }
  });
  deploy(house);
}

void destroy(House& house) {
  wait_until([&] {
    try {
      house.releases->destroy("hello", Deadline::after(std::chrono::milliseconds(20)));
      return true;
    } catch (const Error& error) {
      if (error.kind() == Error::missing) return true;  // it was gone by the second call
      CHECK(error.kind() == Error::busy);
      return false;
    }
  });
}

void at_every_point(const std::function<void(House&)>& story, std::size_t least, bool destroys = false,
                    int replicas = 1) {
  const std::set<std::string> points = live_through("none", story, destroys, replicas);
  CHECK(points.size() >= least);
  for (const std::string& point : points) {
    CAPTURE(point);
    live_through(point, story, destroys, replicas);
  }
}

}  // namespace

TEST_CASE("a release interrupted at any failpoint ends with one serving release and no leftover group") {
  at_every_point(deploy, 22);
}

TEST_CASE("a release with a command, interrupted at any failpoint, ends with no leftover group") {
  at_every_point(deploy_with_command, 28);
}

TEST_CASE("a scale interrupted at any failpoint ends with as many instances as the table names") {
  at_every_point(grow, 22);
  at_every_point(grow_what_crashes, 14);
  at_every_point(shrink, 20, false, 3);
}

TEST_CASE(
    "a release that fails before its switch, interrupted at any failpoint, leaves the old one serving") {
  at_every_point(deploy_what_crashes, 14);
}

TEST_CASE(
    "a release that fails after its switch, interrupted at any failpoint, ends with one serving release") {
  at_every_point(deploy_what_turns_unready, 22);
}

TEST_CASE("a destruction interrupted at any failpoint is carried out") { at_every_point(destroy, 8, true); }
