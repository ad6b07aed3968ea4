#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/client.h"
#include "net/fake.h"
#include "net/server.h"

namespace holdall::net {

inline Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

inline Response plain(std::string body) {
  Response out;
  out.content_type = "text/plain";
  out.body = std::move(body);
  return out;
}

/// A client that says exactly what it is told to.
class Raw {
 public:
  explicit Raw(const Address& address) : socket_(connect(address, soon())) {}

  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent < 0) wait(POLLOUT);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void end_of_input() { shutdown(socket_.get(), SHUT_WR); }
  void hang_up() { socket_.reset(); }

  /// Reads until `mark` has come `times` times, or the end.
  std::string hear(std::string_view mark, int times = 1) {
    std::string out;
    char buffer[4096];
    while (count(out, mark) < times) {
      ssize_t got = recv(socket_.get(), buffer, sizeof buffer, 0);
      if (got == 0 || (got < 0 && errno != EAGAIN)) break;
      if (got < 0) wait(POLLIN);
      if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
  }
  std::string hear_all() { return hear("\xff"); }

 private:
  static int count(std::string_view text, std::string_view mark) {
    int out = 0;
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) ++out;
    return out;
  }
  void wait(short events) {
    pollfd what{socket_.get(), events, 0};
    REQUIRE(poll(&what, 1, soon().poll_ms()) > 0);
  }

  Fd socket_;
};

/// What a test knows of a stream source, whose life is the server's business.
struct StreamFacts {
  std::promise<void> started, destroyed;
  std::function<void()> wake;  ///< after `started`
  std::atomic<std::size_t> pulled{0};
};

class Numbers final : public StreamSource {
 public:
  Numbers(StreamFacts& facts, std::size_t most, std::string piece)
      : facts_(facts), most_(most), piece_(std::move(piece)) {}
  ~Numbers() override { facts_.destroyed.set_value(); }
  void start(std::function<void()> wake) override {
    facts_.wake = std::move(wake);
    facts_.started.set_value();
  }
  std::optional<std::string> next() override {
    if (facts_.pulled == most_) return piece_.empty() ? std::optional("") : std::nullopt;
    ++facts_.pulled;
    return piece_;
  }

 private:
  StreamFacts& facts_;
  std::size_t most_;
  std::string piece_;
};

inline Route stream_route(StreamFacts& facts, std::size_t most, const std::string& piece) {
  return {"GET", "/stream", [&facts, most, piece](Request&) {
            Response out;
            out.content_type = "text/plain";
            out.stream = std::make_unique<Numbers>(facts, most, piece);
            return out;
          }};
}

inline Route echo() {
  return {"POST", "/echo", [](Request& request) { return plain(std::move(request.body)); }};
}

inline Route hello() {
  return {"GET", "/hello", [](Request&) { return plain("hello"); }};
}

inline bool ready(std::promise<void>& promise) {
  return promise.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready;
}

}  // namespace holdall::net
