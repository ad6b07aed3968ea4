#pragma once

#include <sys/epoll.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "router/client.h"
#include "router/fleet.h"
#include "router/limits.h"
#include "router/workspace.h"

namespace holdall::router {

/// One thread of the data path: an event loop of its own over the listeners that all workers share and over
/// the connections it has accepted. It shares nothing with other workers but the targets' counts; everything
/// else reaches it as a message.
class Worker {
 public:
  /// `unplaced` counts the requests that no instance was found for; both outlive it.
  Worker(std::size_t index, const Limits& limits, ReleaseCounters& unplaced,
         std::atomic<std::uint64_t>& lines_dropped);
  ~Worker();  ///< closes every connection

  // From any thread. What is called back is called on the worker's thread and must not block.

  using Sockets =
      std::map<std::string, int>;  ///< listeners by name; open until the worker has been told otherwise
  /// Serves this table from the end of its current round on; then calls `done`. Connections pooled for
  /// targets that it does not name are closed first.
  void serve(std::shared_ptr<const Snapshot> table, Sockets listeners, std::function<void()> done);
  /// Ends what still runs on these targets, then calls `done` with how many requests that were.
  void cut(std::vector<LiveTarget*> targets, std::function<void(std::size_t)> done);
  void log_to(int pipe);  ///< borrowed for good
  /// A target with `watched` has lost its last use in some worker. Set before any table.
  void on_unused(std::function<void()> call);
  /// Every answer says from now on that its connection is closed after it; connections that wait for a
  /// request wait less long. Accepts no more unless it `still_accepts`. `done` whenever no connection is
  /// left, once.
  void end(bool still_accepts, std::function<void()> done);
  /// Accepts no more, closes connections that wait for a request; `done` once no other is left. Whoever waits
  /// for `end` is not told any more.
  void stop(std::function<void()> done);

 private:
  class Accepting;
  void post(std::function<void()> work);
  void run(const std::stop_token& stop);
  int wait_ms() const;
  void take_messages();
  void sweep();
  void listen_to(const Snapshot& table, const Sockets& listeners);

  Limits limits_;
  Workspace work_;
  Guarded<std::vector<std::function<void()>>> messages_;
  Fd wake_;
  std::map<std::string, std::unique_ptr<Accepting>> accepting_;
  std::function<void()> empty_;  ///< who waits for the last connection's end
  bool accepts_ = true;
  Instant last_sweep_{}, last_slow_sweep_{};
  std::jthread thread_;
};

}  // namespace holdall::router
