#pragma once

#include <atomic>

#include "base/time.h"

namespace holdall {

/// A clock that stands still until the test moves it. Thread-safe.
class FakeClock final : public Clock {
 public:
  Instant now() const override { return Instant(std::chrono::nanoseconds(now_.load())); }
  WallTime wall() const override { return WallTime(std::chrono::nanoseconds(wall_.load())); }

  void advance(std::chrono::nanoseconds span) {
    now_ += span.count();
    wall_ += span.count();
  }
  void set_wall(WallTime time) { wall_ = nanoseconds(time); }

 private:
  std::atomic<std::int64_t> now_{1'000'000'000'000};
  std::atomic<std::int64_t> wall_{1'800'000'000'000'000'000};
};

}  // namespace holdall
