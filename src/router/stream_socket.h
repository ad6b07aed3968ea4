#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace holdall::router {

/// A non-blocking stream in an edge-triggered loop: remembers what the kernel last said, so that a call is
/// made only when it can succeed, and keeps the bytes that the kernel did not take.
class StreamSocket {
 public:
  StreamSocket() = default;
  explicit StreamSocket(Fd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  bool open() const { return static_cast<bool>(fd_); }
  void close();
  /// The peer sees a reset: for an answer whose end it could take for complete.
  void abort();

  void note(std::uint32_t epoll_events);
  bool readable() const { return readable_; }
  bool writable() const { return writable_; }
  bool peer_closed() const { return peer_closed_; }  ///< at least its sending side
  bool broken() const { return broken_; }

  enum class Got : std::uint8_t { bytes, nothing, end, broken };
  struct Received {
    Got got;
    std::string_view bytes;
  };
  /// After `nothing` it is not readable until the next event.
  Received receive(char* into, std::size_t size);

  /// As many bytes as the kernel takes now; -1 if the connection is broken (errno says how).
  long send_some(std::string_view bytes);
  /// All of it: at once or kept for `flush`. False if the connection is broken.
  bool send(std::string_view bytes);
  bool flush();
  bool pending() const { return sent_ < kept_.size(); }

  /// Ends our side once everything kept has been sent.
  void shut_down();
  bool shut() const { return shut_; }

 private:
  Fd fd_;
  bool readable_ = false, writable_ = false, peer_closed_ = false, broken_ = false;
  bool shut_ = false;
  std::string kept_;
  std::size_t sent_ = 0;
};

}  // namespace holdall::router
