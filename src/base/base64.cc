#include "base/base64.h"

#include <sodium/utils.h>

namespace holdall {
namespace {

constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;

std::size_t encoded_size(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

/// `out` has room for `encoded_size` characters and the zero that libsodium adds.
void encode(std::string_view bytes, char* out) {
  sodium_bin2base64(out, encoded_size(bytes.size()) + 1, reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
}

/// How many bytes it made in `out`, which has room for `text.size()`.
std::optional<std::size_t> decode(std::string_view text, char* out) {
  std::size_t made = 0;
  const char* end = nullptr;
  bool right = sodium_base642bin(reinterpret_cast<unsigned char*>(out), text.size(), text.data(), text.size(),
                                 nullptr, &made, &end, kVariant) == 0;
  if (!right || end != text.data() + text.size()) return std::nullopt;
  return made;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text(encoded_size(bytes.size()) + 1, '\0');
  encode(bytes, text.data());
  text.pop_back();
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  std::string bytes(text.size(), '\0');
  std::optional<std::size_t> made = decode(text, bytes.data());
  if (!made) return std::nullopt;
  bytes.resize(*made);
  return bytes;
}

Secret base64(const Secret& bytes) {
  Secret text = Secret::zeros(encoded_size(bytes.size()) + 1);
  encode(bytes.view(), text.data());
  return Secret(text.view().substr(0, text.size() - 1));
}

std::optional<Secret> base64_decode_secret(std::string_view text) {
  Secret bytes = Secret::zeros(text.size());
  std::optional<std::size_t> made = decode(text, bytes.data());
  if (!made) return std::nullopt;
  return Secret(bytes.view().substr(0, *made));
}

}  // namespace holdall
