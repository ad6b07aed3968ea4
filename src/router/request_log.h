#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace holdall::router {

/// What one line says. Views are read at once.
struct RequestSummary {
  std::string_view method, path_prefix, path, host, agent, language, id, client;
  std::string_view pool, release, instance;
  std::string_view message;  ///< what went wrong, empty if nothing did
  int code = 0;              ///< the status that the client got, 0 for none
  int error_number = 0;
  bool failed = false;
  std::uint64_t bytes = 0;  ///< of the answer's body
  std::chrono::nanoseconds took{0};
};

/// One mozlog `request.summary` line a request, into a pipe that serve gave. Never waits: lines gather here
/// while the pipe is full, and when this is full too they are dropped and counted. Several workers write to
/// one pipe, so each write is of whole lines and at most PIPE_BUF bytes, which the kernel never mixes. One
/// thread's, but for `dropped`.
class RequestLog {
 public:
  explicit RequestLog(std::atomic<std::uint64_t>& dropped);

  /// Borrowed; -1: every line is dropped.
  void set_pipe(int pipe) { pipe_ = pipe; }
  void write(const RequestSummary& summary, WallTime now);
  void flush();
  bool empty() const { return lines_.empty(); }

 private:
  std::atomic<std::uint64_t>& dropped_;
  int pipe_ = -1;
  std::string intro_;  ///< what every line has after its time
  std::string lines_;
};

}  // namespace holdall::router
