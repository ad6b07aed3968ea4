#pragma once

#include <functional>

#include "base/fd.h"
#include "base/tasks.h"

namespace holdall::cli {

/// Ctrl-C, SIGTERM and a hang-up as calls instead of the end of the process: a command that has something
/// under way on a server says what becomes of it. Made before any other thread, in the thread that waits.
class Interrupts {
 public:
  /// `interrupted` runs on a thread of its own, each time, with 1, 2, ...
  explicit Interrupts(std::function<void(int)> interrupted);
  ~Interrupts();  ///< signals end the process again
  Interrupts(const Interrupts&) = delete;

 private:
  Fd signals_, stop_;
  TaskGroup tasks_;
};

/// Ends the process from any thread, with what was printed: for the moment at which the user wants to leave
/// while another thread waits for the server.
[[noreturn]] void leave(int code);

}  // namespace holdall::cli
