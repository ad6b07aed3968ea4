#include "net/exchange.h"

#include <fmt/format.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/json.h"

namespace holdall::net {
namespace {

/// What would end a line of the head, or the head itself, says something else than its caller meant.
void check(const ClientRequest& request, std::string_view target) {
  auto breaks = [](std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) < text.size();
  };
  bool broken = breaks(request.method) || breaks(target) || target.find(' ') < target.size();
  for (const auto& [name, value] : request.headers) {
    if (breaks(name) || breaks(value))
      throw Error(Error::invalid, fmt::format("the header {} has a line break in it", json_quote(name)));
  }
  if (broken) throw Error(Error::invalid, "a request's method and target are one line without a blank");
}

}  // namespace

std::string Exchange::head(std::string_view target, std::uint64_t length) const {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", request_.method, target);
  fmt::format_to(std::back_inserter(out), "Host: {}\r\n", host_);
  if (request_.upgrade.empty()) {
    out += "Connection: close\r\n";
  } else {
    fmt::format_to(std::back_inserter(out), "Connection: Upgrade\r\nUpgrade: {}\r\n", request_.upgrade);
  }
  bool has_body = length > 0 || (request_.method != "GET" && request_.method != "HEAD");
  if (has_body) fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", length);
  for (const auto& [name, value] : request_.headers) {
    fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
  }
  return out + "\r\n";
}

void Exchange::send(std::string_view target) {
  check(request_, target);
  std::uint64_t length = request_.body.size();
  if (request_.body_file >= 0) {
    struct stat info{};
    checked(fstat(request_.body_file, &info), "ask for the size of a request's body");
    length = static_cast<std::uint64_t>(info.st_size);
  }
  send_bytes(head(target, length));
  if (request_.body_file >= 0) {
    send_file(length);
  } else {
    send_bytes(request_.body);
  }
}

short Exchange::wait(short events) {
  pollfd what{stream_.socket().get(), events, 0};
  for (;;) {
    int ready = poll(&what, 1, deadline_.poll_ms());
    if (ready > 0) return what.revents;
    if (ready == 0) throw Error(Error::busy, fmt::format("{} did not answer in time", name_));
    if (errno != EINTR) throw_errno(Error::broken, "wait for an answer", errno);
  }
}

/// What a send returned: whether to send on. A server that answers early, or hangs up, wants no more; what it
/// answered is read in either case.
bool Exchange::goes_on(ssize_t sent) {
  if (sent >= 0 || errno == EINTR) return true;
  if (errno == EAGAIN) {
    // Readable may be an answer, or only what a cipher has to say.
    short events = stream_.is_plain() ? POLLOUT : stream_.waits_for();
    if (wait(events | POLLIN) & POLLIN) sending_ = !answers_early();
  } else if (errno == EPIPE || errno == ECONNRESET) {
    sending_ = false;
  } else {
    throw_errno(Error::failed, fmt::format("send a request to {}", name_), errno);
  }
  return sending_;
}

/// Whether the server says something, or hangs up, before it has all of the request.
bool Exchange::answers_early() {
  std::array<char, 4096> buffer;
  ssize_t got = stream_.receive(buffer.data(), buffer.size());
  if (got > 0) in_.append(buffer.data(), static_cast<std::size_t>(got));
  return got >= 0 || (errno != EAGAIN && errno != EINTR);
}

void Exchange::send_bytes(std::string_view bytes) {
  while (sending_ && !bytes.empty()) {
    ssize_t sent = stream_.send(bytes);
    if (!goes_on(sent)) return;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Exchange::send_file(std::uint64_t size) {
  constexpr std::size_t kMostAtOnce = 1 << 20, kPiece = 64 << 10;
  constexpr auto kShorter = "a request's body became shorter while it was sent";
  NoSigpipe guard;
  off_t offset = 0;
  for (std::string piece; !stream_.is_plain() && sending_ && static_cast<std::uint64_t>(offset) < size;) {
    piece.resize(std::min<std::uint64_t>(size - offset, kPiece));
    ssize_t got = pread(request_.body_file, piece.data(), piece.size(), offset);
    if (got <= 0) throw Error(Error::failed, kShorter);
    offset += got;
    send_bytes(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
  }
  while (sending_ && static_cast<std::uint64_t>(offset) < size) {
    std::size_t most = std::min<std::uint64_t>(size - offset, kMostAtOnce);
    ssize_t sent = sendfile(stream_.socket().get(), request_.body_file, &offset, most);
    if (sent == 0) throw Error(Error::failed, kShorter);
    if (!goes_on(sent)) return;
  }
}

/// Waits for bytes; false at their end.
bool Exchange::fill() {
  std::array<char, 16 << 10> buffer;
  for (;;) {
    ssize_t got = stream_.receive(buffer.data(), buffer.size());
    if (got > 0) {
      in_.append(buffer.data(), static_cast<std::size_t>(got));
      return true;
    }
    reset_ = got < 0 && (errno == ECONNRESET || errno == EPIPE);
    if (got == 0 || reset_) return false;
    if (errno == EAGAIN) wait(stream_.waits_for());
    if (errno != EAGAIN && errno != EINTR) throw_errno(Error::failed, "receive an answer", errno);
  }
}

void Exchange::need_more() {
  if (!fill()) cut();
}

void Exchange::cut() const { throw Error(Error::failed, fmt::format("{} ended its answer early", name_)); }

ClientResponse Exchange::receive_head() {
  http::Head head;
  for (std::size_t scanned = 0;;) {
    auto [result, reason] = http::parse_response(in_, request_.method, head, http::kMaxHead, scanned);
    if (result == http::Result::bad || result == http::Result::too_large) {
      throw Error(Error::failed, fmt::format("{} answered what is no HTTP: {}", name_, reason));
    }
    if (result == http::Result::incomplete) {
      scanned = in_.size();
      need_more();
      continue;
    }
    constexpr int kFirstFinal = 200;
    if (head.status >= kFirstFinal) break;
    if (head.status == http::kSwitchingProtocols && !request_.upgrade.empty()) break;
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
        if (step.bad) throw Error(Error::failed, fmt::format("{} sent a broken chunk", name_));
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
      if (fill()) continue;
      if (reset_) cut();
      return;
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

}  // namespace holdall::net
