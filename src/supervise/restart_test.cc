#include "supervise/restart.h"

#include <doctest/doctest.h>

#include <vector>

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

namespace {

constexpr RestartPolicy kNo{RestartPolicy::no}, kAlways{RestartPolicy::always},
    kOnFailure{RestartPolicy::on_failure};
const Exit kWell{}, kBadly{.code = 3}, kKilled{.code = 0, .signal = 9};

}  // namespace

TEST_CASE("what crashes at once is started again after 0, 1, 2, 4 ... 60 s") {
  std::vector<std::chrono::nanoseconds> delays;
  int streak = 0;
  for (int restarts = 0; restarts < 9; ++restarts) {
    AfterEnd after = after_end(kAlways, kBadly, restarts, streak, 50ms);
    CHECK(after.state == Health::waiting);
    delays.push_back(after.delay);
    streak = after.streak;
  }
  CHECK(delays == std::vector<std::chrono::nanoseconds>{0s, 1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s});
  CHECK(after_end(kAlways, kBadly, 5000, 5000, 50ms).delay == 60s);
}

TEST_CASE("ten seconds alive make the next start immediate") {
  CHECK(after_end(kAlways, kBadly, 6, 6, 10s).delay == 0s);
  CHECK(after_end(kAlways, kBadly, 6, 6, 10s).streak == 1);
  CHECK(after_end(kAlways, kBadly, 6, 6, 10s - 1ns).delay == 32s);
}

TEST_CASE("the policy decides who is started again") {
  CHECK(after_end(kNo, kWell, 0, 0, 1s).state == Health::completed);
  CHECK(after_end(kNo, kBadly, 0, 0, 1s).state == Health::failed);
  CHECK(after_end(kOnFailure, kWell, 0, 0, 1s).state == Health::completed);
  CHECK(after_end(kOnFailure, kBadly, 0, 0, 1s).state == Health::waiting);
  CHECK(after_end(kOnFailure, kKilled, 0, 0, 1s).state == Health::waiting);
  CHECK(after_end(kOnFailure, std::nullopt, 0, 0, 1s).state == Health::waiting);
  CHECK(after_end(kAlways, kWell, 0, 0, 1s).state == Health::waiting);
}

TEST_CASE("on-failure:N stops after N restarts") {
  RestartPolicy twice{RestartPolicy::on_failure, 2};
  CHECK(after_end(twice, kBadly, 1, 1, 1s).state == Health::waiting);
  CHECK(after_end(twice, kBadly, 2, 2, 1s).state == Health::failed);
}
