#include "base/tasks.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>

#include "base/error.h"

using namespace holdall;

TEST_CASE("stop asks every task to stop and waits for it") {
  TaskGroup tasks;
  std::atomic<int> ended{0};
  std::latch running(3);
  for (int i = 0; i < 3; ++i) {
    tasks.start("waiter", [&](std::stop_token stop) {
      std::atomic<bool> asked{false};
      std::stop_callback wake(stop, [&] {
        asked = true;
        asked.notify_all();
      });
      running.count_down();
      asked.wait(false);
      ++ended;
    });
  }
  running.wait();
  CHECK(ended == 0);
  tasks.stop();
  CHECK(ended == 3);
  tasks.stop();
}

TEST_CASE("nothing starts after stop") {
  TaskGroup tasks;
  tasks.stop();
  CHECK_THROWS_WITH_AS(tasks.start("late", [](std::stop_token) {}), doctest::Contains("late"), Error);
}

TEST_CASE("a task that fails takes nobody with it") {
  std::atomic<bool> other{false};
  {
    TaskGroup tasks;
    tasks.start("failing on purpose",
                [](std::stop_token) { throw Error(Error::failed, "as the test wants it"); });
    tasks.start("other", [&](std::stop_token) { other = true; });
  }
  CHECK(other);
}
