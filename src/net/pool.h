#pragma once

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

namespace holdall::net {

/// Threads for handlers: few, with small stacks, each started when there is work and no idle one.
/// Thread-safe.
class Pool {
 public:
  Pool(std::size_t threads, std::size_t queued);
  ~Pool();  ///< forgets what has not begun, waits for what has
  Pool(const Pool&) = delete;

  /// False, and nothing is done, when every thread is taken and the queue is full. `work` throws nothing.
  bool submit(std::function<void()> work);

 private:
  void work_until_stopped();
  void start_thread();

  const std::size_t most_threads_, most_queued_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Under the mutex.
  std::deque<std::function<void()>> queue_;
  std::vector<pthread_t> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace holdall::net
