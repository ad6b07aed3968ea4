#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "net/handover.h"
#include "router/fleet.h"
#include "router/limits.h"
#include "router/worker.h"

namespace holdall::router {

/// The router's main thread: hears serve and control (docs/formats/processes.md), owns the fleet, and tells
/// the workers. It touches no request. A router that another one replaces retires: it accepts no more, but
/// takes tables and drains like any other until its last connection has ended.
class Process {
 public:
  Process(Fd serve, int workers, const Limits& limits = {});
  ~Process();

  /// Until serve has gone or `stop` becomes readable; then running requests may end for a few seconds. Or
  /// until it has retired.
  void run(const Fd& stop);

 private:
  struct Drain {
    Json id;
    std::vector<LiveTarget*> targets;
    Instant deadline;
    std::size_t cut = 0;
    bool cutting = false;
  };

  bool hear_serve();
  void say_ready();
  void say_counted();
  void retire();
  void tell_serve(const Json& message, const std::vector<int>& fds = {});
  Json counters() const;
  void on_all_within(std::chrono::nanoseconds patience,
                     const std::function<void(Worker&, std::function<void()>)>& tell);
  void hear_control();
  void from_serve(net::Handover message);
  void from_control(net::Handover message);
  void take_table(const Fd& memfd);
  void roll_out(std::function<void()> done);
  void start_drain(const Json& message);
  void advance_drains();
  void end_drain(Drain& drain, bool complete);
  void watch_targets();
  void answer_counters(const Json& id);
  void tell_control(const Json& message, const std::vector<int>& fds = {});
  void post(std::function<void()> work);  // from any thread, to this one
  void take_posts();
  int wait_ms() const;
  void finish_requests(bool takes_leave);

  const std::string epoch_;
  const WallTime started_;
  Fd serve_, control_, wake_, log_;
  Guarded<std::deque<std::function<void()>>> posts_;
  std::atomic<std::uint64_t> lines_dropped_ = 0;
  Fleet fleet_;
  RouteTable table_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::uint64_t served_version_ = 0;  ///< that every worker serves
  std::map<std::string, Fd> sockets_;
  std::vector<Fd> retired_;  ///< sockets that workers may still have, until the next roll-out is through
  int rolling_ = 0;
  Json after_ = Json::array();    ///< epochs of the routers that this one and those before it replaced
  bool alone_ = false;            ///< it retires without serve, which is to go
  bool retired_through_ = false;  ///< retired, and no connection is left
  Deadline retires_until_ = Deadline::never();  ///< hangs up on what is left then
  std::vector<std::unique_ptr<Drain>> drains_;
  std::vector<std::unique_ptr<Worker>> workers_;  // last: they use all of the above
};

}  // namespace holdall::router
