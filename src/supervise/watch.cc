#include "supervise/watch.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdall::supervise {
namespace {

using namespace std::chrono_literals;

// Most programs listen within a second of their start; asking this often costs a release at most this long.
constexpr auto kEager = 5ms;
constexpr auto kEagerFor = 1s;

// A program that listens in the wrong place says so by its sockets long before a time-out would.
constexpr auto kFirstLook = 100ms;
constexpr auto kLookAgain = 250ms;
constexpr auto kWrongFor = 2s;

// An instance whose start_timeout passed while no control looked gets this long to pass a probe.
constexpr auto kAdoptedGrace = 5s;

// Of failed probes in a row, before another instance is started: one may be lost to a moment of load.
constexpr int kHopeless = 3;

bool is_right(const net::Address& listener, const net::Address& expected) {
  bool reachable = listener.host.empty() || listener.host == "0.0.0.0" || listener.host == "::" ||
                   listener.host == expected.host;
  return listener.port == expected.port && reachable;
}

std::string shown(const net::Address& listener) {
  return listener.host.empty() ? fmt::format("0.0.0.0:{}", listener.port) : net::text(listener);
}

}  // namespace

Watch::Watch(const Gate& gate, bool closely, Instant now)
    : gate_(gate), closely_(closely), give_up_at_(now + gate.start_timeout) {}

Watch::Watch(const Gate& gate, bool closely, Health found, Instant since, Instant now)
    : gate_(gate), closely_(closely), health_(found), confirmed_(gate.kind == Gate::Kind::running) {
  if (found == Health::ready) ready_since_ = since;
  beat_at_ = now;
  if (found == Health::unready) unready_since_ = since;
  was_accepted_ = found != Health::starting;
  if (found == Health::starting)
    give_up_at_ = now + std::min<std::chrono::nanoseconds>(gate.start_timeout, kAdoptedGrace);
  if (found != Health::starting && gate.kind != Gate::Kind::running) probe_at_ = now;
}

void Watch::executed(Instant at) {
  if (executed_at_) return;
  executed_at_ = at;
  if (health_ != Health::starting) return;
  if (gate_.kind == Gate::Kind::running) return pass(at);
  probe_at_ = at;
  if (connects()) listeners_at_ = at + kFirstLook;
  give_up_at_ = std::max(give_up_at_, at + gate_.start_timeout);
}

void Watch::probe_started(Instant now) {
  probing_ = true;
  probe_started_ = now;
}

void Watch::probe_ended(const Verdict& verdict, Instant now) {
  probing_ = false;
  if (health_ == Health::failed) return;
  if (verdict.accepted && !accepted_at_) accepted_at_ = now;
  if (verdict.accepted) {
    was_accepted_ = true;
    wrong_since_.reset();
    listeners_at_ = Instant::max();
  }
  const Verdict judged = verdict.beat ? of_beat(verdict, now) : verdict;
  judged.passed ? pass(now) : fail(judged, now);
  schedule(now);
}

/// A beat is a change that we see, by our own clock: the time that the file bears is the machine's wall
/// clock, which may jump, and what lies there at the start may be another instance's.
Verdict Watch::of_beat(const Verdict& seen, Instant now) {
  Verdict judged = seen;
  const bool first = !beat_;
  const bool changed = !first && !seen.beat->empty() && seen.beat != beat_;
  beat_ = seen.beat;
  if (changed) beat_at_ = now;
  judged.passed = changed || (health_ == Health::ready && now - beat_at_ <= gate_.period);
  if (judged.passed) return judged;
  if (health_ == Health::starting) {
    judged.failure = fmt::format("no heartbeat yet: {} {}", gate_.path,
                                 seen.beat->empty() ? "is not there" : "was not touched");
  } else {
    judged.failure = fmt::format("no heartbeat for {}: {} is to be touched every {}", text(now - beat_at_),
                                 gate_.path, text(gate_.period));
  }
  return judged;
}

bool Watch::hopeless() const {
  return health_ == Health::unready && failures_ >= std::max(gate_.retries, kHopeless);
}

void Watch::pass(Instant now) {
  failures_ = 0;
  give_up_at_ = listeners_at_ = Instant::max();
  wrong_since_.reset();
  if (health_ != Health::ready) ready_since_ = now;
  health_ = Health::ready;
  confirmed_ = true;
  unready_since_.reset();
  reason_.clear();
}

void Watch::fail(const Verdict& verdict, Instant now) {
  last_failure_ = verdict.failure;
  if (health_ == Health::starting) {
    // Before the first accept there is nothing wrong yet; afterwards its answers are what people want to see.
    if (was_accepted_ || !connects()) reason_ = verdict.failure;
    return;
  }
  if (executed_at_ && now < *executed_at_ + gate_.start_period) return;
  ++failures_;
  if (failures_ < gate_.retries) return;
  if (health_ == Health::ready) unready_since_ = now;
  health_ = Health::unready;
  ready_since_.reset();
  reason_ = verdict.failure;
}

void Watch::schedule(Instant now) {
  // An instance that serves nothing is asked often whether it does again, whoever looks.
  bool often = closely_ || health_ != Health::ready;
  std::chrono::nanoseconds interval = often ? gate_.interval : gate_.later_interval;
  bool eager = health_ == Health::starting && connects() && !was_accepted_ && executed_at_ &&
               now < *executed_at_ + kEagerFor;
  if (eager) interval = kEager;
  probe_at_ = std::max(now, probe_started_ + interval);
}

void Watch::listens_on(const std::vector<engine::Listener>& listeners, const net::Address& expected,
                       Instant now) {
  listeners_at_ = now + kLookAgain;
  bool right =
      std::ranges::any_of(listeners, [&](const auto& each) { return is_right(each.address, expected); });
  if (right || listeners.empty()) {
    if (wrong_since_) reason_.clear();
    wrong_since_.reset();
    return;
  }
  if (!wrong_since_) wrong_since_ = now;
  reason_ = fmt::format("listens on {}, expected 0.0.0.0:{} ($PORT)", shown(listeners.front().address),
                        expected.port);
  if (now - *wrong_since_ >= kWrongFor) give_up(reason_);
}

void Watch::set_closely(bool closely, Instant now) {
  if (closely_ == closely) return;
  closely_ = closely;
  if (probe_at_ != Instant::max() && !probing_) schedule(now);
}

void Watch::look_again(Instant now) {
  if (gate_.kind == Gate::Kind::running || health_ != Health::ready) return;
  confirmed_ = false;
  if (!probing_) probe_at_ = now;
}

void Watch::time_passed(Instant now) {
  if (health_ != Health::starting || now < give_up_at_) return;
  std::string why = !reason_.empty()        ? reason_
                    : last_failure_.empty() ? "it was not executed"
                                            : last_failure_;
  give_up(fmt::format("not ready after {}: {}", text(gate_.start_timeout), why));
}

void Watch::give_up(std::string reason) {
  health_ = Health::failed;
  reason_ = std::move(reason);
  probe_at_ = listeners_at_ = give_up_at_ = Instant::max();
}

Instant Watch::due() const {
  return std::min({probing_ ? Instant::max() : probe_at_, listeners_at_, give_up_at_});
}

}  // namespace holdall::supervise
