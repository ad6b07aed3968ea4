#include "net/tls_identity.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "net/tls.h"

namespace holdall::net {
namespace {

template <auto function>
struct Freed {
  template <typename T>
  void operator()(T* thing) const {
    function(thing);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Signed = std::unique_ptr<X509, Freed<X509_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;

void must(bool done, const char* doing) {
  if (done) return;
  ERR_clear_error();
  throw Error(Error::broken, fmt::format("{}: OpenSSL cannot", doing));
}

std::string_view content(const Memory& memory) {
  char* bytes = nullptr;
  long size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace

Certificate make_certificate(const std::string& name) {
  constexpr auto kMake = "make a certificate";
  constexpr long kTenYears = 3650L * 24 * 3600, kYesterday = -24L * 3600;  // clocks differ
  constexpr int kSerialBits = 127;
  Key key(EVP_EC_gen("P-256"));
  Signed certificate(X509_new());
  must(key && certificate, kMake);
  X509* raw = certificate.get();
  BIGNUM* number = BN_new();
  bool done = number && BN_rand(number, kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(raw));
  BN_free(number);
  X509_NAME* subject = X509_get_subject_name(raw);
  done = done && X509_set_version(raw, X509_VERSION_3) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(raw), kYesterday) &&
         X509_gmtime_adj(X509_getm_notAfter(raw), kTenYears) && X509_set_pubkey(raw, key.get()) == 1 &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(name.data()),
                                    static_cast<int>(name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(raw, subject) == 1 && X509_sign(raw, key.get(), EVP_sha256()) > 0;
  must(done, kMake);
  Memory text(BIO_new(BIO_s_mem())), secret(BIO_new(BIO_s_secmem()));
  done = PEM_write_bio_X509(text.get(), raw) == 1 &&
         PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  must(done, kMake);
  return {std::string(content(text)), Secret(content(secret))};
}

void TlsIdentity::Free::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

TlsIdentity::TlsIdentity(const std::string& certificate_file, const std::string& key_file)
    : context_(SSL_CTX_new(TLS_server_method())) {
  must(context_ != nullptr, "prepare TLS");
  SSL_CTX* context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Connections that wait hold no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  auto refuse = [](const std::string& file, std::string_view what) {
    ERR_clear_error();
    throw Error(Error::invalid, fmt::format("{} holds no {}", file, what));
  };
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1)
    refuse(certificate_file, "certificate in PEM");
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    refuse(key_file, fmt::format("private key in PEM of the certificate in {}", certificate_file));
  }
}

TlsIdentity::~TlsIdentity() = default;

std::unique_ptr<Stream> TlsIdentity::accept(Fd socket) const {
  return std::make_unique<TlsStream>(std::move(socket), *context_);
}

std::string TlsIdentity::fingerprint() const {
  return net::fingerprint(SSL_CTX_get0_certificate(context_.get()));
}

}  // namespace holdall::net
