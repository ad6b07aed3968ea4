#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace holdall {

/// CLOCK_BOOTTIME: never set back, goes on while the machine sleeps. All waiting is measured by it; it says
/// nothing across a reboot (see `boot_id`).
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock, duration>;
  static constexpr bool is_steady = true;
  static time_point now();
};

using Instant = BootClock::time_point;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/// Where time comes from. What waits or stamps takes one, so that a test can set it by hand. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
};

/// The machine's own clock; lives for ever.
const Clock& system_clock();

/// The instant by which a call must have returned. A wait that passes it throws `busy` unless its comment
/// says otherwise.
class Deadline {
 public:
  explicit Deadline(Instant at) : at_(at) {}
  static Deadline after(std::chrono::nanoseconds span) { return Deadline(BootClock::now() + span); }
  static Deadline never() { return Deadline(Instant::max()); }

  Instant at() const { return at_; }
  bool passed() const { return at_ != Instant::max() && BootClock::now() >= at_; }

  /// What is left, as `poll` and `epoll_wait` want it: rounded up, 0 when passed, -1 for never.
  int poll_ms() const;

  auto operator<=>(const Deadline&) const = default;

 private:
  Instant at_;
};

/// "2026-11-21T00:27:06.123Z".
std::string rfc3339(WallTime time);
std::int64_t nanoseconds(WallTime time);
WallTime wall_time(std::int64_t nanoseconds_since_epoch);

/// A span for people: "850 us", "12 ms", "2.2 s", "3 min".
std::string text(std::chrono::nanoseconds span);

/// The kernel's random name for this boot; instants of another boot mean nothing.
const std::string& boot_id();

}  // namespace holdall
