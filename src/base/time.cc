#include "base/time.h"

#include <fmt/format.h>
#include <time.h>

#include <cstdlib>
#include <fstream>
#include <limits>

namespace holdall {

Instant BootClock::now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

namespace {

class SystemClock final : public Clock {
 public:
  Instant now() const override { return BootClock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now() + shift(); }

 private:
  /// How far a test has moved the clock on the wall: the seconds in the file that HOLDALL_FAULT_WALL_CLOCK
  /// names (docs/failpoints.md).
  static std::chrono::seconds shift() {
#ifdef HOLDALL_FAILPOINTS
    static const char* path = std::getenv("HOLDALL_FAULT_WALL_CLOCK");
    long seconds = 0;
    if (path) std::ifstream(path) >> seconds;
    return std::chrono::seconds(seconds);
#else
    return {};
#endif
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

int Deadline::poll_ms() const {
  if (at_ == Instant::max()) return -1;
  auto left = at_ - BootClock::now();
  if (left <= left.zero()) return 0;
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  constexpr auto kMost = std::numeric_limits<int>::max();
  return ms > kMost ? kMost : static_cast<int>(ms);
}

std::string rfc3339(WallTime time) {
  auto since = time.time_since_epoch();
  auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  auto ms = std::chrono::floor<std::chrono::milliseconds>(since - seconds).count();
  time_t t = seconds.count();
  tm parts{};
  gmtime_r(&t, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, ms);
}

std::int64_t nanoseconds(WallTime time) { return time.time_since_epoch().count(); }

WallTime wall_time(std::int64_t nanoseconds_since_epoch) {
  return WallTime(std::chrono::nanoseconds(nanoseconds_since_epoch));
}

std::string text(std::chrono::nanoseconds span) {
  using namespace std::chrono;
  if (span < 1ms) return fmt::format("{:.0f} us", span.count() / 1e3);
  if (span < 10ms) return fmt::format("{:.1f} ms", span.count() / 1e6);
  if (span < 1s) return fmt::format("{:.0f} ms", span.count() / 1e6);
  if (span < 2min) return fmt::format("{:.1f} s", span.count() / 1e9);
  return fmt::format("{:.0f} min", span.count() / 60e9);
}

const std::string& boot_id() {
  static const std::string id = [] {
    std::ifstream in("/proc/sys/kernel/random/boot_id");
    std::string line;
    std::getline(in, line);
    return line;
  }();
  return id;
}

}  // namespace holdall
