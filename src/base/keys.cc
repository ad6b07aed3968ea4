#include "base/keys.h"

#include <fmt/format.h>
#include <sodium/core.h>
#include <sodium/crypto_box.h>
#include <sodium/crypto_scalarmult.h>
#include <sodium/utils.h>

#include <algorithm>

#include "base/base64.h"
#include "base/error.h"

namespace holdall {
namespace {

// A private key that is taken for a public one, and committed, would be found out too late.
constexpr std::string_view kPrefix = "holdall-private-key-";

static_assert(PublicKey::kBytes == crypto_box_PUBLICKEYBYTES);
static_assert(PublicKey::kBytes == crypto_box_SECRETKEYBYTES);

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(Secret& secret) { return reinterpret_cast<unsigned char*>(secret.data()); }

PublicKey public_half(const unsigned char* private_key) {
  std::array<unsigned char, PublicKey::kBytes> bytes;
  crypto_scalarmult_base(bytes.data(), private_key);
  return PublicKey(bytes);
}

}  // namespace

PublicKey PublicKey::parse(std::string_view text) {
  if (text.starts_with(kPrefix)) {
    throw Error(Error::invalid, "a private key stands where a public key belongs: show it to nobody");
  }
  std::optional<std::string> decoded = base64_decode(text);
  if (!decoded || decoded->size() != kBytes) {
    throw Error(Error::invalid, "this is no public key: it is 44 characters of base64");
  }
  std::array<unsigned char, kBytes> bytes;
  std::ranges::copy(*decoded, bytes.begin());
  return PublicKey(bytes);
}

std::string PublicKey::text() const {
  return base64(std::string_view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size()));
}

std::string PublicKey::seal_box(const Secret& plain) const {
  std::string box(plain.size() + crypto_box_SEALBYTES, '\0');
  int done = crypto_box_seal(reinterpret_cast<unsigned char*>(box.data()), bytes_of(plain.view()),
                             plain.size(), bytes_.data());
  // A point of low order: nobody holds a private key for it.
  if (done != 0) throw Error(Error::invalid, fmt::format("nothing can be sealed to the key {}", text()));
  return box;
}

void PrivateKey::Free::operator()(unsigned char* bytes) const { sodium_free(bytes); }

PrivateKey::Bytes PrivateKey::memory() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) throw Error(Error::broken, "libsodium does not start");
  Bytes bytes(static_cast<unsigned char*>(sodium_malloc(PublicKey::kBytes)));
  if (!bytes) throw std::bad_alloc();
  return bytes;
}

PrivateKey::PrivateKey(Bytes bytes) : bytes_(std::move(bytes)), public_key_(public_half(bytes_.get())) {
  sodium_mprotect_readonly(bytes_.get());
}

PrivateKey PrivateKey::generate() {
  Bytes bytes = memory();
  std::array<unsigned char, PublicKey::kBytes> public_half;
  crypto_box_keypair(public_half.data(), bytes.get());
  return PrivateKey(std::move(bytes));
}

PrivateKey PrivateKey::parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) {
    throw Error(Error::invalid, fmt::format("this is no private key: it begins with {}", kPrefix));
  }
  return parse_base64(text.substr(kPrefix.size()));
}

PrivateKey PrivateKey::parse_base64(std::string_view text) {
  std::optional<Secret> decoded = base64_decode_secret(text);
  if (!decoded || decoded->size() != PublicKey::kBytes) {
    throw Error(Error::invalid, "this is no private key: it is 44 characters of base64");
  }
  Bytes bytes = memory();
  std::ranges::copy(decoded->view(), bytes.get());
  return PrivateKey(std::move(bytes));
}

Secret PrivateKey::text() const {
  Secret encoded =
      base64(Secret(std::string_view(reinterpret_cast<const char*>(bytes_.get()), PublicKey::kBytes)));
  Secret text = Secret::zeros(kPrefix.size() + encoded.size());
  std::ranges::copy(kPrefix, text.data());
  std::ranges::copy(encoded.view(), text.data() + kPrefix.size());
  return text;
}

std::optional<Secret> PrivateKey::open_box(std::string_view box) const {
  if (box.size() < crypto_box_SEALBYTES) return std::nullopt;
  Secret plain = Secret::zeros(box.size() - crypto_box_SEALBYTES);
  if (crypto_box_seal_open(bytes_of(plain), bytes_of(box), box.size(), public_key_.data(), bytes_.get()) != 0)
    return std::nullopt;
  return plain;
}

std::optional<Secret> PrivateKey::open_box(std::string_view nonce_and_box, const PublicKey& sender) const {
  if (nonce_and_box.size() < crypto_box_NONCEBYTES + crypto_box_MACBYTES) return std::nullopt;
  std::string_view box = nonce_and_box.substr(crypto_box_NONCEBYTES);
  Secret plain = Secret::zeros(box.size() - crypto_box_MACBYTES);
  if (crypto_box_open_easy(bytes_of(plain), bytes_of(box), box.size(), bytes_of(nonce_and_box), sender.data(),
                           bytes_.get()) != 0)
    return std::nullopt;
  return plain;
}

}  // namespace holdall
