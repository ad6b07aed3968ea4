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

/// `exit` is nothing when nobody knows how it ended or it never ran. `restarts` and `streak` are those of the
/// try that ended, `alive` is how long it ran. Pure.
AfterEnd after_end(const RestartPolicy& policy, const std::optional<Exit>& exit, int restarts, int streak,
                   std::chrono::nanoseconds alive);

}  // namespace holdall::supervise
