#pragma once

#include <algorithm>
#include <vector>

#include "router/fleet.h"

namespace holdall::router {

/// The target with the fewest requests that is not in `tried`, or nullptr; among equals each in turn.
inline LiveTarget* choose(const std::vector<LiveTarget*>& targets,
                          const std::vector<const LiveTarget*>& tried, std::size_t& rotation) {
  LiveTarget* best = nullptr;
  int fewest = 0;
  std::size_t count = targets.size();
  std::size_t first = count > 1 ? rotation++ % count : 0;
  for (std::size_t i = 0; i < count; ++i) {
    LiveTarget* target = targets[(first + i) % count];
    if (!tried.empty() && std::find(tried.begin(), tried.end(), target) != tried.end()) continue;
    int running = target->running.load(std::memory_order_relaxed);
    if (!best || running < fewest) {
      best = target;
      fewest = running;
    }
  }
  return best;
}

}  // namespace holdall::router
