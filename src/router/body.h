#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "net/http.h"

namespace holdall::router {

/// Follows one message's body through the pieces in which it comes, whatever delimits it, without copying it.
class BodyReader {
 public:
  BodyReader() = default;
  BodyReader(net::http::Body kind, std::uint64_t length) : kind_(kind), left_(length) {}

  bool done() const {
    switch (kind_) {
      case net::http::Body::none: return true;
      case net::http::Body::length: return left_ == 0;
      case net::http::Body::chunked: return chunked_.done();
      case net::http::Body::until_close: return false;
    }
    return true;
  }
  bool until_close() const { return kind_ == net::http::Body::until_close; }
  bool chunked() const { return kind_ == net::http::Body::chunked; }
  std::uint64_t payload() const { return payload_; }  ///< bytes of it so far, without framing

  /// How many of `bytes` belong to the body, framing included; nothing may be forwarded if `bad`.
  /// `sink(data)` gets the payload.
  template <typename Sink>
  std::size_t take(std::string_view bytes, bool& bad, Sink&& sink) {
    if (kind_ == net::http::Body::chunked) return take_chunks(bytes, bad, sink);
    std::size_t size = kind_ == net::http::Body::until_close ? bytes.size()
                       : kind_ == net::http::Body::length
                           ? static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()))
                           : 0;
    if (kind_ == net::http::Body::length) left_ -= size;
    payload_ += size;
    sink(bytes.substr(0, size));
    return size;
  }
  std::size_t take(std::string_view bytes, bool& bad) {
    return take(bytes, bad, [](std::string_view) {});
  }

 private:
  template <typename Sink>
  std::size_t take_chunks(std::string_view bytes, bool& bad, Sink&& sink) {
    std::size_t taken = 0;
    while (taken < bytes.size() && !chunked_.done()) {
      net::http::ChunkedReader::Step step = chunked_.next(bytes.substr(taken));
      taken += step.consumed;
      payload_ += step.data.size();
      if (!step.data.empty()) sink(step.data);
      if (step.bad) {
        bad = true;
        break;
      }
    }
    return taken;
  }

  net::http::Body kind_ = net::http::Body::none;
  std::uint64_t left_ = 0, payload_ = 0;
  net::http::ChunkedReader chunked_;
};

}  // namespace holdall::router
