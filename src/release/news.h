#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/time.h"

namespace holdall::release {

/// Those who follow a release wait for what other threads commit. Something new is told here after its
/// commit, and whoever reads first and then waits misses nothing. Thread-safe.
class News {
 public:
  /// Take it before reading the database; `wait` returns as soon as something was told since.
  std::uint64_t told() const {
    std::lock_guard lock(mutex_);
    return told_;
  }

  void tell() {
    {
      std::lock_guard lock(mutex_);
      ++told_;
    }
    changed_.notify_all();
  }

  /// False at the deadline.
  bool wait(std::uint64_t seen, Deadline deadline) const {
    std::unique_lock lock(mutex_);
    const auto something = [&] { return told_ != seen; };
    if (deadline == Deadline::never()) {
      changed_.wait(lock, something);
      return true;
    }
    return changed_.wait_until(lock, deadline.at(), something);
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::uint64_t told_ = 0;
};

}  // namespace holdall::release
