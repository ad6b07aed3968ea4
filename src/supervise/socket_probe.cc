#include "supervise/socket_probe.h"

#include <fmt/format.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "net/http.h"

namespace holdall::supervise {
namespace {

// The head of a health answer; a longer one is none.
constexpr std::size_t kLongestHead = 16 << 10;

/// A connect to an unused port of our own machine's ephemeral range may be given that same port as its
/// source, and then meets itself: an accepted connection with nobody behind it.
bool is_connected_to_itself(int socket) {
  sockaddr_storage own{}, other{};
  socklen_t own_size = sizeof own, other_size = sizeof other;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&own), &own_size) < 0) return false;
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&other), &other_size) < 0) return false;
  return net::address_of(own) == net::address_of(other);
}

}  // namespace

SocketProbe::SocketProbe(const Gate& gate, const net::Address& address, Instant now)
    : gate_(gate), address_(address), deadline_(now + gate.timeout) {
  net::SocketAddress to = net::socket_address(address);
  socket_ = Fd(
      checked(socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "make a socket"));
  if (connect(socket_.get(), to.get(), to.size) < 0 && errno != EINPROGRESS) connect_error_ = errno;
}

std::optional<Verdict> SocketProbe::go_on(Instant now) {
  std::optional<Verdict> verdict;
  if (step_ == Step::connect) verdict = finish_connect();
  if (!verdict && step_ == Step::send) verdict = send_request();
  if (!verdict && step_ == Step::receive) verdict = receive_answer();
  if (verdict || now < deadline_) return verdict;
  if (step_ != Step::connect) return failed(fmt::format("did not answer within {}", text(gate_.timeout)));
  return failed(
      fmt::format("{} did not accept a connection within {}", net::text(address_), text(gate_.timeout)));
}

std::optional<Verdict> SocketProbe::finish_connect() {
  pollfd state{socket_.get(), POLLOUT, 0};
  if (connect_error_ == 0 && poll(&state, 1, 0) == 0) return std::nullopt;
  socklen_t size = sizeof connect_error_;
  if (connect_error_ == 0) getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &connect_error_, &size);
  if (connect_error_ == 0 && is_connected_to_itself(socket_.get())) connect_error_ = ECONNREFUSED;
  if (connect_error_ == ECONNREFUSED)
    return failed(fmt::format("{} refuses connections", net::text(address_)));
  if (connect_error_ != 0)
    return failed(fmt::format("{}: {}", net::text(address_), strerror(connect_error_)));
  if (gate_.kind == Gate::Kind::port) return Verdict{.accepted = true, .passed = true, .failure = ""};
  unsent_ =
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: holdall-probe\r\nConnection: close\r\n\r\n",
                  gate_.path, net::text(address_));
  step_ = Step::send;
  return std::nullopt;
}

std::optional<Verdict> SocketProbe::send_request() {
  while (!unsent_.empty()) {
    ssize_t sent = send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return std::nullopt;
    if (sent < 0) return failed("was closed before an answer");
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  step_ = Step::receive;
  return std::nullopt;
}

std::optional<Verdict> SocketProbe::receive_answer() {
  std::array<char, 4096> buffer;
  for (;;) {
    ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return std::nullopt;
    if (got > 0) answer_.append(buffer.data(), static_cast<std::size_t>(got));
    if (auto verdict = judge(got <= 0)) return verdict;
  }
}

std::optional<Verdict> SocketProbe::judge(bool ended) {
  for (;;) {
    net::http::Head head;
    net::http::Parsed parsed = net::http::parse_response(answer_, "GET", head, kLongestHead);
    if (parsed.result == net::http::Result::incomplete) {
      if (ended) return failed("was closed before an answer");
      return std::nullopt;
    }
    if (parsed.result == net::http::Result::too_large)
      return failed("answered with a head that is too large");
    if (parsed.result == net::http::Result::bad)
      return failed(fmt::format("answered no HTTP: {}", parsed.reason));
    if (head.status >= 100 && head.status < 200) {
      answer_.erase(0, head.size);  // an interim answer; the final one follows
      continue;
    }
    if (head.status >= gate_.status_from && head.status <= gate_.status_to) {
      return Verdict{.accepted = true, .passed = true, .failure = ""};
    }
    return failed(
        fmt::format("answered {}, expected {}-{}", head.status, gate_.status_from, gate_.status_to));
  }
}

Verdict SocketProbe::failed(std::string why) const {
  bool accepted = step_ != Step::connect;
  return {.accepted = accepted,
          .passed = false,
          .failure = accepted ? fmt::format("GET {} {}", gate_.path, why) : why};
}

}  // namespace holdall::supervise
