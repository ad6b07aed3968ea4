#include "net/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "net/http.h"
#include "net/socket.h"

namespace holdall::net {
namespace {

using Sink = std::function<bool(std::string_view)>;

/// While it lives, this thread gets no SIGPIPE: `sendfile` knows no MSG_NOSIGNAL.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    timespec none{};
    while (sigtimedwait(&pipe_, nullptr, &none) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_, before_;
};

/// One request and its answer, on a connection of its own.
class Exchange {
 public:
  Exchange(const Address& address, const ClientRequest& request, Deadline deadline)
      : address_(address), request_(request), deadline_(deadline), socket_(connect(address, deadline)) {}

  void send();
  /// The head of the answer; `receive_body` follows.
  ClientResponse receive_head();
  void receive_body(const Sink& sink);

 private:
  std::string head(std::uint64_t length) const;
  short wait(short events);
  void send_bytes(std::string_view bytes);
  void send_file(std::uint64_t size);
  bool goes_on(ssize_t sent);
  bool fill();
  void need_more();
  [[noreturn]] void cut() const;

  const Address& address_;
  const ClientRequest& request_;
  const Deadline deadline_;
  const Fd socket_;
  bool sending_ = true;  ///< the server still wants our bytes
  std::string in_;       ///< not used yet
  http::Body body_ = http::Body::none;
  std::uint64_t length_ = 0;
};

std::string Exchange::head(std::uint64_t length) const {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", request_.method, request_.target);
  // A unix socket has no host, and HTTP wants one.
  fmt::format_to(std::back_inserter(out), "Host: {}\r\nConnection: close\r\n",
                 address_.is_unix() ? "localhost" : text(address_));
  bool has_body = length > 0 || (request_.method != "GET" && request_.method != "HEAD");
  if (has_body) fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", length);
  for (const auto& [name, value] : request_.headers) {
    fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
  }
  return out + "\r\n";
}

void Exchange::send() {
  std::uint64_t length = request_.body.size();
  if (request_.body_file >= 0) {
    struct stat info{};
    checked(fstat(request_.body_file, &info), "ask for the size of a request's body");
    length = static_cast<std::uint64_t>(info.st_size);
  }
  send_bytes(head(length));
  if (request_.body_file >= 0) {
    send_file(length);
  } else {
    send_bytes(request_.body);
  }
}

short Exchange::wait(short events) {
  pollfd what{socket_.get(), events, 0};
  for (;;) {
    int ready = poll(&what, 1, deadline_.poll_ms());
    if (ready > 0) return what.revents;
    if (ready == 0) throw Error(Error::busy, fmt::format("{} did not answer in time", text(address_)));
    if (errno != EINTR) throw_errno(Error::broken, "wait for an answer", errno);
  }
}

/// What a send returned: whether to send on. A server that answers early, or hangs up, wants no more; what it
/// answered is read in either case.
bool Exchange::goes_on(ssize_t sent) {
  if (sent >= 0 || errno == EINTR) return true;
  if (errno == EAGAIN) {
    sending_ = !(wait(POLLIN | POLLOUT) & POLLIN);
  } else if (errno == EPIPE || errno == ECONNRESET) {
    sending_ = false;
  } else {
    throw_errno(Error::failed, fmt::format("send a request to {}", text(address_)), errno);
  }
  return sending_;
}

void Exchange::send_bytes(std::string_view bytes) {
  while (sending_ && !bytes.empty()) {
    ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (!goes_on(sent)) return;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Exchange::send_file(std::uint64_t size) {
  constexpr std::size_t kMostAtOnce = 1 << 20;
  NoSigpipe guard;
  off_t offset = 0;
  while (sending_ && static_cast<std::uint64_t>(offset) < size) {
    std::size_t most = std::min<std::uint64_t>(size - offset, kMostAtOnce);
    ssize_t sent = sendfile(socket_.get(), request_.body_file, &offset, most);
    if (sent == 0) throw Error(Error::failed, "a request's body became shorter while it was sent");
    if (!goes_on(sent)) return;
  }
}

/// Waits for bytes; false at their end.
bool Exchange::fill() {
  std::array<char, 16 << 10> buffer;
  for (;;) {
    ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      in_.append(buffer.data(), static_cast<std::size_t>(got));
      return true;
    }
    if (got == 0 || errno == ECONNRESET || errno == EPIPE) return false;
    if (errno == EAGAIN) wait(POLLIN);
    if (errno != EAGAIN && errno != EINTR) throw_errno(Error::failed, "receive an answer", errno);
  }
}

void Exchange::need_more() {
  if (!fill()) cut();
}

void Exchange::cut() const {
  throw Error(Error::failed, fmt::format("{} ended its answer early", text(address_)));
}

ClientResponse Exchange::receive_head() {
  http::Head head;
  for (std::size_t scanned = 0;;) {
    auto [result, reason] = http::parse_response(in_, request_.method, head, http::kMaxHead, scanned);
    if (result == http::Result::bad || result == http::Result::too_large) {
      throw Error(Error::failed, fmt::format("{} answered what is no HTTP: {}", text(address_), reason));
    }
    if (result == http::Result::incomplete) {
      scanned = in_.size();
      need_more();
      continue;
    }
    constexpr int kFirstFinal = 200;
    if (head.status >= kFirstFinal) break;
    in_.erase(0, head.size);
    scanned = 0;
  }
  ClientResponse out;
  out.status = head.status;
  for (std::size_t i = 0; i < head.header_count; ++i) {
    out.headers.emplace_back(head.headers[i].name, head.headers[i].value);
  }
  body_ = head.body;
  length_ = head.length;
  in_.erase(0, head.size);
  return out;
}

void Exchange::receive_body(const Sink& sink) {
  http::ChunkedReader chunks;
  for (;;) {
    if (body_ == http::Body::none) return;
    if (body_ == http::Body::length) {
      std::size_t size = std::min<std::uint64_t>(length_, in_.size());
      length_ -= size;
      if (size && !sink(std::string_view(in_).substr(0, size))) return;
      if (length_ == 0) return;
      in_.clear();
      need_more();
    } else if (body_ == http::Body::chunked) {
      std::size_t used = 0;
      while (used < in_.size() && !chunks.done()) {
        auto step = chunks.next(std::string_view(in_).substr(used));
        if (step.bad) throw Error(Error::failed, fmt::format("{} sent a broken chunk", text(address_)));
        used += step.consumed;
        if (!step.data.empty() && !sink(step.data)) return;
        if (step.consumed == 0) break;
      }
      in_.erase(0, used);
      if (chunks.done()) return;
      need_more();
    } else {
      if (!in_.empty() && !sink(in_)) return;
      in_.clear();
      if (!fill()) return;
    }
  }
}

/// A sink that keeps everything, up to a limit.
Sink keep(std::string& body, std::size_t largest) {
  return [&body, largest](std::string_view piece) {
    if (body.size() + piece.size() > largest) {
      throw Error(Error::failed, fmt::format("the answer is larger than {} bytes", largest));
    }
    body.append(piece);
    return true;
  };
}

// Of an answer that is not what the caller wants to stream: an error's JSON.
constexpr std::size_t kLargestRefusal = 1 << 20;

}  // namespace

std::string_view ClientResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (http::equals_ignoring_case(key, name)) return value;
  }
  return {};
}

ClientResponse fetch(const Address& address, const ClientRequest& request, Deadline deadline,
                     std::size_t largest_body) {
  Exchange exchange(address, request, deadline);
  exchange.send();
  ClientResponse out = exchange.receive_head();
  exchange.receive_body(keep(out.body, largest_body));
  return out;
}

ClientResponse stream(const Address& address, const ClientRequest& request, Deadline deadline,
                      const std::function<bool(std::string_view)>& sink) {
  Exchange exchange(address, request, deadline);
  exchange.send();
  ClientResponse out = exchange.receive_head();
  bool good = out.status / 100 == 2;
  exchange.receive_body(good ? sink : keep(out.body, kLargestRefusal));
  return out;
}

}  // namespace holdall::net
