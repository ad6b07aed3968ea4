#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "base/time.h"
#include "net/stream.h"

namespace holdall::net {

/// Whom a client takes for the server. Neither: whom the system's certificates vouch for.
struct Trust {
  std::string ca_file = {};  ///< PEM: these instead of the system's certificates
  std::string fingerprint =
      {};  ///< the one certificate of this `fingerprint`, whoever signed it for whatever name
};

/// "sha256:" and 64 hex digits.
std::string fingerprint(const X509* certificate);

/// One end of a TLS connection over a connected socket. Only what includes this brings OpenSSL into a
/// program.
class TlsStream final : public Stream {
 public:
  /// The client's: handshake and verification are done when this returns. `host` is asked for (SNI) and must
  /// be named by the certificate; a literal address must be too. Throws `failed` when the certificate is
  /// refused or the other end speaks no TLS, `busy` at the deadline.
  TlsStream(Fd socket, const std::string& host, bool is_literal, const Trust& trust, Deadline deadline);

  /// The server's, which shows itself by `context`: the handshake is a part of what is received first.
  TlsStream(Fd socket, SSL_CTX& context);
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
  void trust(const Trust& trust);
  void expect(const std::string& host, bool is_literal);
  void check_fingerprint(const std::string& expected) const;
  void shake_hands(Deadline deadline);
  ssize_t result(int code);

  const Fd socket_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  short waits_for_ = 0;
};

}  // namespace holdall::net
