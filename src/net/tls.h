#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "base/time.h"
#include "net/stream.h"

namespace holdall::net {

/// The client's end of a TLS connection over a connected socket: handshake and verification are done when the
/// constructor returns. Only tls.cc and its callers bring OpenSSL into a program.
class TlsStream final : public Stream {
 public:
  /// `host` is asked for (SNI) and must be named by the certificate; a literal address must be too. `ca_file`
  /// replaces the system's certificates unless it is empty. Throws `failed` when the certificate is refused
  /// or the other end speaks no TLS, `busy` at the deadline.
  TlsStream(Fd socket, const std::string& host, bool is_literal, const std::string& ca_file,
            Deadline deadline);
  ~TlsStream() override;

  ssize_t send(std::string_view bytes) override;
  ssize_t receive(char* buffer, std::size_t size) override;
  short waits_for() const override { return waits_for_; }
  const Fd& socket() const override { return socket_; }
  bool is_plain() const override { return false; }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const;
    void operator()(SSL* ssl) const;
  };
  void trust(const std::string& ca_file);
  void expect(const std::string& host, bool is_literal);
  void shake_hands(Deadline deadline);
  ssize_t result(int code);

  const Fd socket_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  short waits_for_ = 0;
};

}  // namespace holdall::net
