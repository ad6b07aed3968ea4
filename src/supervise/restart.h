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

/// One that was ready and fails its probes since.
struct Unready {
  int restarts = 0, streak = 0;
  std::chrono::nanoseconds ready_for{0};  ///< how long it was ready
};
struct Replace {
  std::chrono::nanoseconds delay;  ///< before a replacement is started
  int streak;                      ///< of that
};

/// Nothing: it is left as it is. Pure.
std::optional<Replace> after_unready(const RestartPolicy& policy, const Unready& unready);

/// Pure.
AfterEnd after_end(const RestartPolicy& policy, const End& end);

}  // namespace holdall::supervise
