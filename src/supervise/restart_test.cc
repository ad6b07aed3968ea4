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
    AfterEnd after =
        after_end(kAlways, {.exit = kBadly, .restarts = restarts, .streak = streak, .alive = 50ms});
    CHECK(after.state == Health::waiting);
    delays.push_back(after.delay);
    streak = after.streak;
  }
  CHECK(delays == std::vector<std::chrono::nanoseconds>{0s, 1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s});
  CHECK(after_end(kAlways, {.exit = kBadly, .restarts = 5000, .streak = 5000, .alive = 50ms}).delay == 60s);
}

TEST_CASE("ten seconds alive make the next start immediate") {
  CHECK(after_end(kAlways, {.exit = kBadly, .restarts = 6, .streak = 6, .alive = 10s}).delay == 0s);
  CHECK(after_end(kAlways, {.exit = kBadly, .restarts = 6, .streak = 6, .alive = 10s}).streak == 1);
  CHECK(after_end(kAlways, {.exit = kBadly, .restarts = 6, .streak = 6, .alive = 10s - 1ns}).delay == 32s);
}

TEST_CASE("the policy decides who is started again") {
  CHECK(after_end(kNo, {.exit = kWell, .restarts = 0, .streak = 0, .alive = 1s}).state == Health::completed);
  CHECK(after_end(kNo, {.exit = kBadly, .restarts = 0, .streak = 0, .alive = 1s}).state == Health::failed);
  CHECK(after_end(kOnFailure, {.exit = kWell, .restarts = 0, .streak = 0, .alive = 1s}).state ==
        Health::completed);
  CHECK(after_end(kOnFailure, {.exit = kBadly, .restarts = 0, .streak = 0, .alive = 1s}).state ==
        Health::waiting);
  CHECK(after_end(kOnFailure, {.exit = kKilled, .restarts = 0, .streak = 0, .alive = 1s}).state ==
        Health::waiting);
  CHECK(after_end(kOnFailure, {.exit = std::nullopt, .restarts = 0, .streak = 0, .alive = 1s}).state ==
        Health::waiting);
  CHECK(after_end(kAlways, {.exit = kWell, .restarts = 0, .streak = 0, .alive = 1s}).state ==
        Health::waiting);
}

TEST_CASE("on-failure:N stops after N restarts") {
  RestartPolicy twice{RestartPolicy::on_failure, 2};
  CHECK(after_end(twice, {.exit = kBadly, .restarts = 1, .streak = 1, .alive = 1s}).state == Health::waiting);
  CHECK(after_end(twice, {.exit = kBadly, .restarts = 2, .streak = 2, .alive = 1s}).state == Health::failed);
}

TEST_CASE("what was taken away by no fault of its own is replaced at once, and no crash is counted") {
  const End lost{.exit = std::nullopt, .lost = true, .restarts = 6, .streak = 6, .alive = 2s};
  CHECK(after_end(kOnFailure, lost).state == Health::waiting);
  CHECK(after_end(kOnFailure, lost).delay == 0s);
  CHECK(after_end(kOnFailure, lost).streak == 6);
}

TEST_CASE("what is taken away as fast as it starts is replaced once a second") {
  CHECK(after_end(kOnFailure, {.exit = std::nullopt, .lost = true, .restarts = 1, .alive = 999ms}).delay ==
        1s);
}

TEST_CASE(
    "a written delay takes the place of the growing one, and a written window that of the ten seconds") {
  RestartPolicy policy{.kind = RestartPolicy::always, .most = 0, .delay = 5s, .window = 2min};
  CHECK(after_end(policy, {.exit = kBadly, .restarts = 9, .streak = 9, .alive = 1s}).delay == 5s);
  CHECK(after_end(policy, {.exit = kBadly, .restarts = 1, .streak = 1, .alive = 1min}).streak == 2);
  CHECK(after_end(policy, {.exit = kBadly, .restarts = 1, .streak = 1, .alive = 2min}).streak == 1);
}

TEST_CASE("max_attempts counts under every condition") {
  RestartPolicy policy{.kind = RestartPolicy::always, .most = 3};
  CHECK(after_end(policy, {.exit = kBadly, .restarts = 2, .streak = 2, .alive = 1s}).state ==
        Health::waiting);
  CHECK(after_end(policy, {.exit = kBadly, .restarts = 3, .streak = 3, .alive = 1s}).state == Health::failed);
}
