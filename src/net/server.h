#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/time.h"
#include "net/http.h"
#include "net/socket.h"
#include "net/stream.h"

namespace holdall::net {

/// A request as a handler sees it: the body has arrived whole, or stands in a file when it was larger than 1
/// MiB.
struct Request {
  std::string method, path, query;  ///< path percent-decoded; query as sent
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                     ///< up to 1 MiB
  Fd body_file;                         ///< a larger body: an unlinked temporary file, at offset 0
  Peer peer;                            ///< who, on a unix socket
  std::string remote;                   ///< the peer's IP address; empty on a unix socket
  std::string listener;                 ///< the name of the listener that it came through
  std::string introduced;               ///< whom the connection was introduced as (Listener::introduces)
  std::string user;                     ///< who asks, once a handler has found out
  std::vector<std::string> parameters;  ///< what the `*`s of the route's pattern matched
  Json log_fields = Json::object();  ///< a handler adds what its request's record shall bear: {"uid", user}

  std::string_view header(std::string_view name) const;
  std::optional<std::string> parameter(std::string_view name) const;  ///< of the query, decoded
  Json json() const;                                                  ///< the body; throws `invalid`
};

/// What streams is pulled by the server's loop: `next` gives what there is now, "" for nothing yet, or
/// nullopt at the end; it never blocks. After "" it is asked again once `wake` (given to `start`,
/// thread-safe) was called. The loop stops asking while the client does not read; the source bounds what it
/// queues meanwhile. Destroyed at once when the client has gone or the stream has ended; `wake` may still be
/// called then. All but `wake` happens in the loop's thread.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  virtual void start(std::function<void()> wake) = 0;
  virtual std::optional<std::string> next() = 0;
};

/// A connection that is no longer the server's.
struct Upgraded {
  std::unique_ptr<Stream> bytes;
  std::string received;  ///< what the client has sent already
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::unique_ptr<StreamSource>
      stream;                           ///< when set, its bytes are the body: chunked, unless `length` is set
  std::optional<std::uint64_t> length;  ///< how many bytes the stream will give
  /// Of a 101, which names its protocol in the header Upgrade: takes the connection once that answer is sent.
  /// Called in the loop's thread, at most once, and destroyed without a call when the client has gone before.
  std::function<void(Upgraded)> upgrade = {};
};

Response json_response(const Json& value, int status = 200);
/// {"error": {"kind": "conflict", "message": "..."}} with the kind's status.
Response error_response(const Error& error);

using Handler = std::function<Response(Request&)>;

/// Where a handler runs.
enum class Lane : std::uint8_t {
  pool,     ///< on a thread of the pool
  loop,     ///< in the loop itself: it answers at once
  reserve,  ///< on a thread that is kept for such handlers, so that they answer though the pool is full
};

/// A row of a routes table. A pattern's segments are literal, or `*` for one segment that becomes a
/// parameter: "/v1/apps/*/releases/*"; a last `**` is all segments that are left, joined with '/'. A decoded
/// segment that has a '/' of its own matches no `**`.
struct Route {
  std::string method, pattern;
  Handler handler;
  Lane lane = Lane::pool;
  /// Asked in the loop when the head of a request with a body has come; it must not wait. False: the body is
  /// left unread, and the handler, which gets none, is to refuse. Unset: every body is taken.
  std::function<bool(const Request&)> admits = {};
};

/// Where connections come in.
struct Listener {
  Fd socket;
  std::string name = {};    ///< Request::listener
  bool introduces = false;  ///< a connection begins with a line `as NAME`, which is Request::introduced
  /// What the connection's bytes are carried by: TLS. Unset: the socket itself.
  std::function<std::unique_ptr<Stream>(Fd)> stream = {};
};

/// A request and what became of it; for a log. Every request whose head came gets one, refused ones too.
struct RequestRecord {
  std::string method, path;  ///< as sent, without the query; empty for what is no HTTP
  std::string id, agent, language;
  std::vector<std::string> addresses;  ///< X-Forwarded-For as sent, then the peer's
  int status = 0;                      ///< 0: client or server left before there was an answer
  std::string fault;                   ///< what an exception said that is no answer for the client: our bug
  Json fields;                         ///< Request::log_fields
  std::chrono::nanoseconds took{0};    ///< from the whole head to the last of the answer
};

struct ServerOptions {
  std::size_t threads = 8;   ///< the most pool threads; started as they are needed
  std::size_t queued = 256;  ///< requests waiting for a thread; beyond it 503
  std::uint64_t largest_body = std::uint64_t{4} << 30;
  std::string spool_dir = "/tmp";                             ///< where larger bodies are kept
  std::chrono::nanoseconds finish = std::chrono::seconds(5);  ///< what running requests get after `stop`
  std::size_t reserve = 2;                                    ///< threads for Lane::reserve
  std::size_t connections = 0;                                ///< the most at once, others wait; 0: no bound
  /// Called once for each request, in the loop's thread; it must not wait. When unset, faults are logged.
  std::function<void(const RequestRecord&)> record = {};
};

/// An HTTP/1.1 server: one loop (the thread that calls `run`) owns the connections, handlers are plain
/// blocking code on a bounded pool. An Error out of a handler becomes its response; anything else a 500 that
/// is logged.
class Server {
 public:
  Server(std::vector<Route> routes, ServerOptions options);
  ~Server();

  void add_listener(Listener listener);  ///< before `run`
  /// Until `stop`; then requests that have come are answered within `options.finish`, streams that are not at
  /// their end are cut off, and it returns how many requests were cut off without an answer. The destructor
  /// waits for handlers that are still running. While it handles a request, a thread's log lines bear its id
  /// as `rid`.
  std::size_t run();
  void stop();  ///< thread- and signal-safe

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdall::net
