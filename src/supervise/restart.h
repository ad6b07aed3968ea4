#pragma once

#include <chrono>
#include <optional>

#include "supervise/supervise.h"

namespace holdall::supervise {

/// What follows when a try has ended.
struct AfterEnd {
  Health state;                    ///< waiting, completed or failed
  std::chrono::nanoseconds delay;  ///< of waiting
  int streak;                      ///< of the next try
};

/// One try that has ended.
struct End {
  std::optional<Exit> exit;  ///< nothing: nobody knows how it ended, or it never ran
  bool lost = false;         ///< it ran and was taken away, its shim killed: no fault of its own
  int restarts = 0, streak = 0;
  std::chrono::nanoseconds alive{0};  ///< how long it ran
};

/// Pure.
AfterEnd after_end(const RestartPolicy& policy, const End& end);

}  // namespace holdall::supervise
