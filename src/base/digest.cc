#include "base/digest.h"

#include <fmt/format.h>
#include <sodium/crypto_hash_sha256.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/json.h"

namespace holdall {
namespace {

constexpr std::string_view kPrefix = "sha256:";

}  // namespace

struct Sha256::State {
  crypto_hash_sha256_state hash;
};

Sha256::Sha256() : state_(std::make_unique<State>()) { crypto_hash_sha256_init(&state_->hash); }

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  crypto_hash_sha256_update(&state_->hash, reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size());
}

Digest Sha256::finish() {
  std::array<unsigned char, crypto_hash_sha256_BYTES> bytes;
  crypto_hash_sha256_final(&state_->hash, bytes.data());
  std::string text(kPrefix);
  for (unsigned char byte : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return Digest{text};
}

Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Digest parse_digest(std::string_view text) {
  auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  bool right = text.starts_with(kPrefix) && text.size() == kPrefix.size() + 2 * crypto_hash_sha256_BYTES &&
               std::ranges::all_of(text.substr(kPrefix.size()), is_digit);
  if (!right) throw Error(Error::invalid, fmt::format("{} is no digest", json_quote(text)));
  return Digest{std::string(text)};
}

}  // namespace holdall
