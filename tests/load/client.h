#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <utility>
#include <vector>

#include "answer.h"
#include "mix.h"
#include "report.h"

namespace load {

struct Pace {
  double per_second = 500;
  double seconds = 0;           ///< 0: until SIGTERM or SIGINT
  double timeout_seconds = 60;  ///< of one request; also how long the last ones may take after the end
};

/// Sends requests at a fixed rate, whatever becomes of those before them, and never sends one again: a server
/// that stalls gets a pile of requests, not a rest, and one that is lost stays lost.
class Client {
 public:
  Client(const sockaddr_in& target, Mix& mix, Report& report, Pace pace);
  ~Client();

  void run();

 private:
  struct Connection;
  using Order = std::pair<std::int64_t, std::uint64_t>;  ///< when (nanoseconds), which connection

  void start(std::int64_t due);
  Connection& connection_for(const Request& request);
  void ready(Connection& connection, std::uint32_t events);
  void write_more(Connection& connection);
  void read_more(Connection& connection);
  void finish(Connection& connection);
  void fail(Connection& connection, const std::string& cause);
  void watch(Connection& connection);
  void drop(Connection& connection);
  void pass_timers(std::int64_t now);
  int wait_ms(std::int64_t next_due) const;

  sockaddr_in target_;
  Mix& mix_;
  Report& report_;
  Pace pace_;
  int epoll_, signals_;
  std::uint64_t next_connection_ = 1;  ///< 0 stands for the signal descriptor
  std::size_t busy_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::uint64_t> idle_;  ///< kept connections without a request, the last used last
  std::priority_queue<Order, std::vector<Order>, std::greater<>> timers_;
};

}  // namespace load
