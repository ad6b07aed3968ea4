#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/body.h"
#include "router/rewrite.h"
#include "router/upstream.h"
#include "router/workspace.h"

namespace holdall::router {

class Client;

/// One request from the moment its head was read until its answer has been passed on; or one stream of bytes.
/// Finds a target for it, waits while there is none, tries another when one does not accept, and moves bytes
/// both ways, each side no faster than the other reads. Ends by giving the connection back to its client; it
/// counts and logs once.
class Exchange {
 public:
  /// `internal`: it comes from a service of the app itself.
  Exchange(Workspace& work, Client& client, PoolNumber pool, bool internal);
  ~Exchange();

  /// Takes the request over: `bytes` begin with `head`. Returns how many of them belong to the request.
  std::size_t accept(std::string_view bytes, const net::http::Head& head, const Origin& origin);
  /// Or a stream of bytes, of which these came first.
  void accept_stream(std::string first);

  // Each of these may end the exchange.
  void dispatch();  ///< finds a target, or waits for one
  void on_client();
  void on_upstream();
  void on_sweep();
  void on_table();
  void cut();  ///< the drain of its target is over

  const LiveTarget* target() const { return target_; }

 private:
  enum class Phase : std::uint8_t { held, connecting, relaying, tunnel, over };
  enum class Outcome : std::uint8_t { served, failed, cut, left, refused, maintenance };

  // Targets (exchange.cc).
  void hold(std::chrono::milliseconds span, bool maintenance);
  void take(LiveTarget& target);
  void connect_failed();
  void upstream_failed(const char* how);
  void release_target();
  bool replayable() const;

  // Bytes (relay.cc). Each returns false once the exchange has ended.
  bool move();
  bool send_flight();
  bool check_connected();
  bool pump_request();
  bool forward_request(std::string_view bytes);
  bool pump_answer();
  bool answer_bytes(std::string_view bytes);
  bool answer_head(std::string_view bytes, std::size_t& used);
  bool answer_body(std::string_view head, std::string_view bytes);
  void forget_flight();
  bool start_tunnel(std::string_view rest);
  bool pump_tunnel();
  bool relay(StreamSocket& from, StreamSocket& to, bool& ended);

  // Ends (exchange.cc).
  void answer_complete(bool surplus);
  void fail(int status, Cause cause, std::string_view text);
  void refuse(int status, std::string_view text);
  void left();
  void say_maintenance();
  void finish(Outcome outcome, std::string_view message = "");
  void count(Outcome outcome);
  void log(Outcome outcome, std::string_view message);

  Workspace& work_;
  Client& client_;
  const PoolNumber pool_;
  Phase phase_ = Phase::held;

  LiveTarget* target_ = nullptr;
  std::unique_ptr<Upstream> upstream_;
  std::vector<const LiveTarget*> tried_;  ///< only compared: they may be gone
  ReleaseCounters* counters_;
  Cause last_cause_ = Cause::no_instance;

  // What is sent first: the rewritten head and the body bytes that came with it. They stay until the answer
  // begins, so that they can be sent again; the head stays for the log.
  std::string flight_;
  std::size_t flight_sent_ = 0;
  std::size_t head_size_ = 0;
  RequestPlaces places_;
  std::string strip_;
  BodyReader request_;
  std::uint64_t largest_body_ = ~std::uint64_t{0};
  const bool internal_;
  bool maintenance_ = false;  ///< why it is held
  bool stream_ = false;       ///< bytes without HTTP
  bool idempotent_ = true;
  bool head_only_ = false;  ///< HEAD
  bool upgrade_ = false;
  bool old_client_ = false;  ///< HTTP/1.0
  bool client_keeps_ = false;
  bool all_in_flight_ = true;  ///< nothing of the request was sent but the flight
  bool reused_ = false, only_fresh_ = false;
  bool deaf_ = false;  ///< the instance takes no more of the request

  BodyReader answer_;
  int status_ = 0;
  bool answer_heard_ = false;  ///< a byte of any answer has come
  bool answer_begun_ = false;  ///< the client has been sent its head
  bool unchunk_ = false;
  bool upstream_keeps_ = false;
  bool client_ended_ = false, upstream_ended_ = false;  ///< of a tunnel's sides

  Instant started_, progress_, hold_until_{};
  std::chrono::milliseconds response_timeout_{60'000};
  std::uint64_t answer_size_ = 0;
};

}  // namespace holdall::router
