#include "net/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/digest.h"
#include "base/error.h"

namespace holdall::net {
namespace {

/// What OpenSSL says of the newest fault; the queue, which is the thread's, is empty afterwards.
std::string reason() {
  unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* words = code ? ERR_reason_error_string(code) : nullptr;
  return words ? words : "the connection was closed";
}

void must(bool done, std::string_view doing) {
  if (!done) throw Error(Error::failed, fmt::format("{}: {}", doing, reason()));
}

}  // namespace

std::string fingerprint(const X509* certificate) {
  unsigned char* bytes = nullptr;
  int size = i2d_X509(certificate, &bytes);
  must(size > 0, "read a certificate");
  std::string text = sha256({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)}).value;
  OPENSSL_free(bytes);
  return text;
}

void TlsStream::Free::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
void TlsStream::Free::operator()(SSL* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(Fd socket, const std::string& host, bool is_literal, const Trust& trusted,
                     Deadline deadline)
    : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_client_method())) {
  must(context_ != nullptr, "prepare TLS");
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  trust(trusted);
  ssl_.reset(SSL_new(context_.get()));
  must(ssl_ != nullptr && SSL_set_fd(ssl_.get(), socket_.get()) == 1, "prepare TLS");
  expect(host, is_literal);
  shake_hands(deadline);
  if (!trusted.fingerprint.empty()) check_fingerprint(trusted.fingerprint);
}

TlsStream::TlsStream(Fd socket, SSL_CTX& context) : socket_(std::move(socket)), waits_for_(POLLIN) {
  ssl_.reset(SSL_new(&context));
  must(ssl_ != nullptr && SSL_set_fd(ssl_.get(), socket_.get()) == 1, "prepare TLS");
  SSL_set_accept_state(ssl_.get());
}

TlsStream::~TlsStream() {
  // One word of farewell, which may be lost; nobody waits for an answer to it.
  NoSigpipe guard;
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void TlsStream::trust(const Trust& trust) {
  const std::string& ca_file = trust.ca_file;
  // The fingerprint is compared afterwards, and says more than any signature.
  bool by_signature = trust.fingerprint.empty();
  SSL_CTX_set_verify(context_.get(), by_signature ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!by_signature) return;
  if (ca_file.empty()) {
    must(SSL_CTX_set_default_verify_paths(context_.get()) == 1, "read the system's certificates");
  } else {
    must(SSL_CTX_load_verify_file(context_.get(), ca_file.c_str()) == 1,
         fmt::format("read the certificates in {}", ca_file));
  }
}

void TlsStream::expect(const std::string& host, bool is_literal) {
  if (is_literal) {
    must(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1, "prepare TLS");
    return;
  }
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  bool set =
      SSL_set1_host(ssl_.get(), host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) == 1;
  must(set, "prepare TLS");
}

void TlsStream::check_fingerprint(const std::string& expected) const {
  const X509* shown = SSL_get0_peer_certificate(ssl_.get());
  if (shown && net::fingerprint(shown) == expected) return;
  throw Error(Error::failed,
              "its certificate is refused: its fingerprint is another one than the one expected");
}

void TlsStream::shake_hands(Deadline deadline) {
  for (;;) {
    int code;
    {
      NoSigpipe guard;
      code = SSL_connect(ssl_.get());
    }
    if (code == 1) return;
    if (result(code) == 0 || errno != EAGAIN) break;
    pollfd what{socket_.get(), waits_for_, 0};
    int ready = poll(&what, 1, deadline.poll_ms());
    if (ready == 0) throw Error(Error::busy, "the TLS handshake did not end in time");
    if (ready < 0 && errno != EINTR) throw_errno(Error::broken, "wait for a TLS handshake", errno);
  }
  long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict != X509_V_OK) {
    ERR_clear_error();
    throw Error(Error::failed,
                fmt::format("its certificate is refused: {}", X509_verify_cert_error_string(verdict)));
  }
  throw Error(Error::failed, fmt::format("no TLS: {}", reason()));
}

/// What OpenSSL returned, as a socket would have.
ssize_t TlsStream::result(int code) {
  if (code > 0) return code;
  switch (SSL_get_error(ssl_.get(), code)) {
    case SSL_ERROR_WANT_READ: waits_for_ = POLLIN; break;
    case SSL_ERROR_WANT_WRITE: waits_for_ = POLLOUT; break;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: errno = ECONNRESET; return -1;  // cut without a farewell: never the end of a whole answer
  }
  ERR_clear_error();
  errno = EAGAIN;
  return -1;
}

ssize_t TlsStream::send(std::string_view bytes) {
  NoSigpipe guard;
  ERR_clear_error();
  return result(
      SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX))));
}

ssize_t TlsStream::receive(char* buffer, std::size_t size) {
  NoSigpipe guard;
  ERR_clear_error();
  return result(SSL_read(ssl_.get(), buffer, static_cast<int>(std::min<std::size_t>(size, INT_MAX))));
}

}  // namespace holdall::net
