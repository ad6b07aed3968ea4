#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/time.h"
#include "net/body.h"
#include "net/handling.h"
#include "net/server.h"

namespace holdall::net {

/// What a connection asks of the loop that owns it.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// Runs the route's handler elsewhere; `Connection::respond` brings its answer. False: no thread is free,
  /// or will be.
  virtual bool dispatch(std::uint64_t connection, const Route& route, Request request) = 0;
  /// For a stream of this connection: thread-safe, and harmless when the connection is gone.
  virtual std::function<void()> waker(std::uint64_t connection) = 0;
  /// Its socket is about to be somebody else's.
  virtual void forget(std::uint64_t connection) = 0;
};

/// One client: reads requests one after another and writes an answer to each. Lives in the loop's thread; the
/// loop tells it what has happened, then asks what it waits for. Nothing blocks but the disk under a spooled
/// body.
class Connection {
 public:
  Connection(std::uint64_t id, Fd socket, const Listener& listener, const std::vector<Route>& routes,
             const ServerOptions& options, ConnectionOwner& owner);
  ~Connection();

  void readable();
  void writable();
  void hung_up();                  ///< the client sends nothing more, and may be gone
  void answered(Outcome outcome);  ///< what was dispatched
  void woken() { progress(); }
  void stop();    ///< finish the answer that is under way, begin no other
  void expire();  ///< if its deadline has passed

  bool finished() const { return state_ == State::finished; }
  bool owes_answer() const { return state_ == State::body || state_ == State::handling; }
  std::uint32_t interest() const;  ///< epoll's events; 0: none, not even a hang-up
  Instant deadline() const { return deadline_; }
  int fd() const { return bytes_->socket().get(); }

 private:
  /// A stream is asked for more while less than this is unsent.
  static constexpr std::size_t kMostUnsent = 64 << 10;

  enum class State : std::uint8_t {
    introduction,  ///< reading the line that says who it is
    head,          ///< reading a request's head, or waiting for one
    body,          ///< reading its body
    handling,      ///< a handler has it
    streaming,     ///< the answer's head is sent; its body is pulled
    leaving,       ///< what is unsent goes out, then the connection is given away
    closing,       ///< what is unsent goes out, then the end
    lingering,  ///< the answer was sent before all of the request had come: read on, lest a reset destroy it
    finished,
  };

  void progress();
  bool flush();  ///< false: the client does not take it now, or is gone
  bool take_introduction();
  bool take_head();
  bool take_body();
  bool pull();
  std::optional<std::string> next_piece();
  void forget_request();
  void begin(const http::Head& head);
  void conclude();
  void dispatch();
  void refuse(const Error& error, int status = 0);
  void take_outcome(Outcome outcome);
  void respond(Response response);
  void write_head(const Response& response);
  void end_of_answer();
  void give_away();
  void enter(State state);
  void discard_input();
  bool reads() const;
  std::size_t unsent() const { return out_.size() - sent_; }

  const std::uint64_t id_;
  std::unique_ptr<Stream> bytes_;
  const std::vector<Route>& routes_;
  const ServerOptions& options_;
  ConnectionOwner& owner_;
  const Peer peer_;
  const std::string remote_;    ///< its IP address; empty on a unix socket
  const std::string listener_;  ///< its name
  std::string introduced_;

  State state_ = State::head;
  std::string in_;           ///< bytes that are not used yet
  std::size_t scanned_ = 0;  ///< of them, known not to end a head
  std::string out_;
  std::size_t sent_ = 0;  ///< of out_
  bool hung_up_ = false, end_of_input_ = false, stopping_ = false;
  bool wants_turn_ = false;  ///< it could go on, but others come first
  Instant deadline_;

  // The request under way.
  const Route* route_ = nullptr;
  Request request_;
  std::optional<BodyCollector> body_;
  bool is_head_ = false, keep_alive_ = false, chunked_ = false, has_length_ = false, linger_ = false;
  std::unique_ptr<StreamSource> stream_;
  std::function<void(Upgraded)> upgrade_;
  std::uint64_t stream_left_ = 0;        ///< of a stream whose length was told
  std::optional<RequestRecord> record_;  ///< of the request under way
  Instant begun_;
};

}  // namespace holdall::net
