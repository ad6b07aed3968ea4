#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/guarded.h"
#include "router/router.h"

namespace holdall::router {

/// A router that moves no request: it records what it is told, and answers as the test has scripted.
/// Thread-safe.
class FakeRouter final : public Router {
 public:
  struct Drain {
    std::vector<InstanceId> targets;
    Deadline deadline = Deadline::never();
  };

  // What was asked of it, oldest first.
  std::vector<RouteTable> tables() { return state_.lock()->tables; }
  std::vector<Drain> drains() { return state_.lock()->drains; }
  RouteTable last_table() {
    auto state = state_.lock();
    return state->tables.empty() ? RouteTable() : state->tables.back();
  }

  /// The next publish throws it and records nothing. Several queue up.
  void fail_next_publish(Error error) { state_.lock()->publish_errors.push_back(std::move(error)); }
  /// Listeners at this address cannot be bound from now on; `release_addresses` ends that.
  void take_address(const net::Address& address) { state_.lock()->taken.push_back(address); }
  void release_addresses() { state_.lock()->taken.clear(); }
  /// The next drain returns it; without one, a complete drain of nothing.
  void next_drain(Drained drained) { state_.lock()->drained.push_back(drained); }
  /// What `counters` gives from now on; nullopt: no router answers.
  void set_counters(std::optional<Counters> counters) { state_.lock()->counters = std::move(counters); }
  /// Called within each publish, after the table was recorded; without a lock held.
  void on_publish(std::function<void(const RouteTable&)> then) {
    state_.lock()->on_publish = std::move(then);
  }

  std::vector<Unbound> bind(const std::vector<Listener>& listeners) override {
    auto state = state_.lock();
    std::vector<Unbound> unbound;
    for (const Listener& one : listeners) {
      if (std::ranges::find(state->taken, one.address) == state->taken.end()) continue;
      unbound.push_back({one, "address " + net::text(one.address) + " is in use"});
    }
    return unbound;
  }

  std::vector<Unbound> publish(const RouteTable& table, Deadline) override {
    check(table);
    std::function<void(const RouteTable&)> then;
    {
      auto state = state_.lock();
      if (!state->publish_errors.empty()) {
        Error error = state->publish_errors.front();
        state->publish_errors.pop_front();
        throw error;
      }
      if (!state->tables.empty() && table.version <= state->tables.back().version) {
        throw Error(Error::broken, "table version " + std::to_string(table.version) + " is not new");
      }
      state->tables.push_back(table);
      then = state->on_publish;
    }
    if (then) then(table);
    return bind(table.listeners);
  }

  Drained drain(const std::vector<InstanceId>& targets, Deadline drain_deadline) override {
    auto state = state_.lock();
    state->drains.push_back({targets, drain_deadline});
    if (state->drained.empty()) return {};
    Drained drained = state->drained.front();
    state->drained.pop_front();
    return drained;
  }

  std::optional<Counters> counters(Deadline) override { return state_.lock()->counters; }

 private:
  struct State {
    std::vector<RouteTable> tables;
    std::vector<Drain> drains;
    std::deque<Error> publish_errors;
    std::vector<net::Address> taken;
    std::deque<Drained> drained;
    std::optional<Counters> counters = Counters();
    std::function<void(const RouteTable&)> on_publish;
  };
  Guarded<State> state_;
};

}  // namespace holdall::router
