#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace holdall {

/// Data that threads share, reachable only while its lock is held. Nobody holds it across I/O or a callback.
///
///     Guarded<std::map<Name, Row>> rows;
///     rows.lock()->emplace(name, row);
template <typename T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}

  class Locked {
   public:
    Locked(std::mutex& mutex, T& value) : lock_(mutex), value_(value) {}
    T* operator->() { return &value_; }
    T& operator*() { return value_; }
    std::unique_lock<std::mutex>& raw() { return lock_; }  ///< for a condition variable

   private:
    std::unique_lock<std::mutex> lock_;
    T& value_;
  };

  Locked lock() { return Locked(mutex_, value_); }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace holdall
