#include "robot.h"

#include <algorithm>

namespace boredbot {

std::chrono::seconds rest_after(int failures) {
  constexpr int kDoublings = 6;
  return std::min(std::chrono::seconds(1 << std::clamp(failures - 1, 0, kDoublings)),
                  std::chrono::seconds(60));
}

void Robot::run() const {
  int failures = 0;
  std::chrono::seconds pause;
  do {
    try {
      say();
      failures = 0;
      pause = kSaysEvery;
    } catch (const holdall::Error& error) {
      pause = rest_after(++failures);
      complain(error, pause);
    }
  } while (rest(pause));
}

}  // namespace boredbot
