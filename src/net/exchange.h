#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "net/client.h"
#include "net/http.h"
#include "net/stream.h"

namespace holdall::net {

/// Takes a piece of a body; false: no more is wanted.
using Sink = std::function<bool(std::string_view)>;

/// One request and its answer, on a connection of its own: `send`, `receive_head`, `receive_body`. `name` is
/// how errors call the server. All of it outlives the Exchange.
class Exchange {
 public:
  Exchange(Stream& stream, std::string name, std::string host, const ClientRequest& request,
           Deadline deadline)
      : stream_(stream),
        name_(std::move(name)),
        host_(std::move(host)),
        request_(request),
        deadline_(deadline) {}

  void send(std::string_view target);
  ClientResponse receive_head();
  void receive_body(const Sink& sink);
  /// What came after the head of a 101.
  std::string take_received() { return std::move(in_); }

 private:
  std::string head(std::string_view target, std::uint64_t length) const;
  short wait(short events);
  void send_bytes(std::string_view bytes);
  void send_file(std::uint64_t size);
  bool goes_on(ssize_t sent);
  bool answers_early();
  bool fill();
  void need_more();
  [[noreturn]] void cut() const;

  Stream& stream_;
  const std::string name_, host_;
  const ClientRequest& request_;
  const Deadline deadline_;
  bool sending_ = true;  ///< the server still wants our bytes
  bool reset_ = false;   ///< the connection ended otherwise than by its proper end
  std::string in_;       ///< not used yet
  http::Body body_ = http::Body::none;
  std::uint64_t length_ = 0;
};

/// A sink that keeps everything, up to a limit.
Sink keep(std::string& body, std::size_t largest);

}  // namespace holdall::net
