#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "base/secret.h"
#include "net/stream.h"

namespace holdall::net {

/// A certificate and its private key, both PEM.
struct Certificate {
  std::string text;
  Secret key;
};

/// A new key (P-256) and a certificate for it that nobody else has signed, good for ten years: for clients
/// that know its fingerprint.
Certificate make_certificate(const std::string& name);

/// What a TLS listener shows itself by. Thread-safe.
class TlsIdentity {
 public:
  /// Throws `invalid` naming the file that is no certificate, or no key of it.
  TlsIdentity(const std::string& certificate_file, const std::string& key_file);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;

  /// The server's end of a connection over this socket, which does not block. The handshake comes with what
  /// is read first; the stream may outlive this.
  std::unique_ptr<Stream> accept(Fd socket) const;

  /// "sha256:" and 64 hex digits: of the certificate, as `openssl x509 -fingerprint -sha256` has it.
  std::string fingerprint() const;

 private:
  struct Free {
    void operator()(SSL_CTX* context) const;
  };
  std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace holdall::net
