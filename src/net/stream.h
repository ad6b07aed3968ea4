#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/types.h>

#include <string_view>

#include "base/fd.h"

namespace holdall::net {

/// The bytes of one connection, plain or enciphered; never blocks. One thread's.
class Stream {
 public:
  virtual ~Stream() = default;

  /// As send(2) and recv(2) on a non-blocking socket: -1 with errno, EAGAIN when `waits_for` has to happen
  /// first. A connection that the other end has properly ended gives 0.
  virtual ssize_t send(std::string_view bytes) = 0;
  virtual ssize_t receive(char* buffer, std::size_t size) = 0;
  virtual short waits_for() const = 0;  ///< poll's events, after EAGAIN

  virtual const Fd& socket() const = 0;
  virtual bool is_plain() const = 0;  ///< what is written to the socket itself is what arrives
};

/// A socket's own bytes.
class PlainStream final : public Stream {
 public:
  explicit PlainStream(Fd socket) : socket_(std::move(socket)) {}
  ssize_t send(std::string_view bytes) override;
  ssize_t receive(char* buffer, std::size_t size) override;
  short waits_for() const override { return waits_for_; }
  const Fd& socket() const override { return socket_; }
  bool is_plain() const override { return true; }

 private:
  const Fd socket_;
  short waits_for_ = 0;
};

/// While it lives, this thread gets no SIGPIPE: neither `sendfile` nor OpenSSL knows MSG_NOSIGNAL.
class NoSigpipe {
 public:
  NoSigpipe();
  ~NoSigpipe();
  NoSigpipe(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_, before_;
};

}  // namespace holdall::net
