#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/time.h"
#include "net/http.h"
#include "router/fleet.h"
#include "router/limits.h"
#include "router/request_ids.h"
#include "router/request_log.h"

namespace holdall::router {

class Client;
class Exchange;

/// Who hears what epoll says of a descriptor.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_event(std::uint32_t events) = 0;
};

/// What the connections of one worker share. All of it belongs to that worker's thread.
struct Workspace {
  Workspace(std::size_t index, const Limits& limits, ReleaseCounters& unplaced,
            std::atomic<std::uint64_t>& dropped);
  ~Workspace();

  const std::size_t index;  ///< of the worker
  const Limits& limits;
  ReleaseCounters& unplaced;  ///< of requests that no instance was found for
  Fd epoll;
  Instant now{};  ///< of the current round of events

  std::shared_ptr<const Snapshot> table;
  std::function<void()> on_unused = [] {};  ///< a watched target has lost its last use
  RequestLog log;
  RequestIds ids;
  bool ending = false;    ///< every answer says that its connection is closed after it
  bool stopping = false;  ///< no connection waits for another request
  std::size_t held = 0;
  std::size_t rotation = 0;  ///< of ties between targets

  // Received bytes stand behind the headroom, so that a rewritten head can be put right before the body that
  // came with it and both go out in one call. Valid until anything else is received.
  static constexpr std::size_t kHeadroom = 4 << 10;
  static constexpr std::size_t kReceive = 64 << 10;
  std::unique_ptr<char[]> buffer;
  char* receive_at() { return buffer.get() + kHeadroom; }
  net::http::Head head;  ///< of the message being parsed
  std::string scratch;

  std::list<Client> active, idle;  ///< idle: kept connections between two requests

  // Connections that have had enough of a turn, and go on after the others had theirs.
  std::vector<Client*> again;

  // What has ended in this round: events of it may still be on their way.
  std::list<Client> gone_clients;
  std::vector<std::unique_ptr<Exchange>> gone_exchanges;
  std::vector<std::unique_ptr<Upstream>> gone_upstreams;
  void bury();

  void watch(int fd, EventSink& sink);  ///< edge-triggered, for everything, once
};

}  // namespace holdall::router
