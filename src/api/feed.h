#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/json.h"
#include "base/tasks.h"
#include "net/server.h"

namespace holdall::api {

/// Between a thread that finds out what a stream says and the server's loop that sends it. What is queued is
/// bounded: a client that reads slowly makes the thread wait, and what the thread reads from (rows, log
/// files) keeps the rest.
class Feed {
 public:
  /// Queues one event; waits while the client lags. False once nobody listens any more.
  bool push(std::string_view event, const Json& data, std::string_view id = "");
  void finish();  ///< nothing follows
  bool closed() const;

  /// Waits until the client has gone, at most until the deadline; true if it has.
  bool wait_closed(Deadline deadline) const;

  // The loop's side.
  void start(std::function<void()> wake);
  std::optional<std::string> next();
  void close();

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Under the mutex.
  std::string queued_;
  std::function<void()> wake_;
  bool finished_ = false, closed_ = false;
};

/// A stream whose events `produce` pushes, on a thread of its own in `tasks`, which begins when the stream
/// does. The feed is theirs in common: whichever of thread and stream ends first leaves it to the other.
std::unique_ptr<net::StreamSource> make_stream(TaskGroup& tasks, std::string name,
                                               std::function<void(Feed&, const std::stop_token&)> produce);

/// The answer that such a stream is.
net::Response stream_response(std::unique_ptr<net::StreamSource> source);

}  // namespace holdall::api
