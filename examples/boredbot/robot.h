#pragma once

#include <chrono>
#include <functional>
#include <stop_token>

#include "base/error.h"

namespace boredbot {

constexpr std::chrono::seconds kSaysEvery{10};

/// How long the robot rests before it tries again, after so many failures in a row: 1 s, then twice as long
/// each time, a minute at most.
std::chrono::seconds rest_after(int failures);

/// What the robot does all day; its outside world is given, so that a test can play it.
struct Robot {
  std::function<void()> say;                       ///< throws what an Account throws
  std::function<bool(std::chrono::seconds)> rest;  ///< false: it is time to stop
  std::function<void(const holdall::Error&, std::chrono::seconds)>
      complain;  ///< what failed, and how long it rests

  /// Says it, every ten seconds, until `rest` says stop. A failure is complained of and tried again; it ends
  /// nothing.
  void run() const;
};

}  // namespace boredbot
