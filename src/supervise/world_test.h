#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fake.h"
#include "engine/fake.h"
#include "schema/schema.h"
#include "supervise/reconciler.h"

namespace holdall::supervise {

/// Answers every probe at the next turn with what the test has said.
class FakeProber final : public Prober {
 public:
  Verdict verdict{.accepted = true, .passed = true, .failure = ""};
  std::map<InstanceId, Verdict> verdicts;  ///< of single instances
  std::vector<InstanceId> probed;
  bool silent = false;

  void start(const InstanceId& id, const Gate&, const net::Address&) override {
    probed.push_back(id);
    if (!silent) running_.push_back(id);
  }
  void cancel(const InstanceId& id) override { std::erase(running_, id); }
  std::vector<Result> take() override {
    std::vector<Result> results;
    for (const InstanceId& id : std::exchange(running_, {})) {
      auto own = verdicts.find(id);
      results.push_back({id, own == verdicts.end() ? verdict : own->second});
    }
    return results;
  }

 private:
  std::vector<InstanceId> running_;
};

struct Crash {
  std::string point;
};

inline const Verdict kRefused{
    .accepted = false, .passed = false, .failure = "127.0.0.1:20000 refuses connections"};
inline const Verdict k500{
    .accepted = true, .passed = false, .failure = "GET /up answered 500, expected 200-399"};

/// A machine: what survives a control, and the control of the moment.
struct World {
  FakeClock clock;
  engine::FakeEngine engine{clock};
  std::unique_ptr<store::Database> database = store::open_sqlite(":memory:");
  FakeProber prober;
  std::unique_ptr<Reconciler> control;
  std::string crash_at;             ///< a point at which control dies, once
  std::vector<std::string> passed;  ///< points

  World() {
    database->migrate(schema());
    restart_control();
  }

  void restart_control() {
    control.reset();
    prober.take();
    control = std::make_unique<Reconciler>(engine, *database, clock, prober, [this](const std::string& name) {
      passed.push_back(name);
      if (name == crash_at) {
        crash_at.clear();
        throw Crash{name};
      }
    });
  }

  /// What the loop does until nothing more is to be done now.
  void turn() {
    constexpr int kEnough = 50;
    for (int i = 0; i < kEnough; ++i) {
      control->observe();
      if (control->step() > clock.now() && engine_is_quiet()) return;
    }
    FAIL("it never comes to rest");
  }
  void pass(std::chrono::nanoseconds span) {
    clock.advance(span);
    turn();
  }
  bool engine_is_quiet() {
    auto statuses = control->statuses();
    control->observe();
    control->step();
    return statuses == control->statuses();
  }

  InstanceStatus only() {
    auto statuses = control->statuses();
    REQUIRE(statuses.size() == 1);
    return statuses.front();
  }
  InstanceId id() { return only().id; }
};

inline Group web(int replicas = 1) {
  Group group{.id = {"shop/web@v1"},
              .workload = {},
              .replicas = replicas,
              .has_port = true,
              .gate = {},
              .restart = {}};
  group.workload.app = "shop";
  group.workload.service = "web";
  group.workload.command = {"./web"};
  group.gate.kind = Gate::Kind::http;
  group.gate.path = "/up";
  return group;
}

}  // namespace holdall::supervise
