#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace holdall {

/// Work in the background needs an owner who waits for it and hears of its failure. Each task is a thread
/// that is given a stop token; an exception out of it is logged as an error with the task's name.
/// Thread-safe.
class TaskGroup {
 public:
  TaskGroup();
  ~TaskGroup();  ///< stops and waits
  TaskGroup(const TaskGroup&) = delete;

  /// Throws `busy` once `stop` has begun.
  void start(std::string name, std::function<void(std::stop_token)> work);

  /// Asks every task to stop and waits until each has returned. Idempotent.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdall
