#include "cli/watching.h"

#include <doctest/doctest.h>

#include "base/error.h"

using namespace holdall;
using namespace holdall::cli;
using namespace std::chrono_literals;

TEST_CASE("an instant is a span before now, a day, a time of day in UTC, or seconds since 1970") {
  const WallTime now{1'000'000s};
  CHECK(parse_instant("10m", now) == now - 10min);
  CHECK(parse_instant("0s", now) == now);
  CHECK(parse_instant("2d", now) == now - 48h);
  CHECK(parse_instant("9000d", now) == WallTime());
  CHECK(parse_instant("86400", now) == WallTime(24h));
  CHECK(parse_instant("1970-01-02", now) == WallTime(24h));
  CHECK(parse_instant("1970-01-02T01:00:01Z", now) == WallTime(25h + 1s));
  CHECK(parse_instant("1970-01-02 01:00:01", now) == WallTime(25h + 1s));
  for (const char* wrong : {"", "yesterday", "-1h", "10x", "99999999999999999999", "9999999999999999d",
                            "1970-01-02T01:00:01+01:00"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_instant(wrong, now), Error);
  }
}
