#include "base/id.h"

#include <sodium/randombytes.h>

#include <array>
#include <chrono>
#include <cstdint>

namespace holdall {
namespace {

constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

}  // namespace

std::string random_token() {
  std::array<unsigned char, 52> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  std::string token;
  for (unsigned char byte : bytes) token += kAlphabet[byte & 31];
  return token;
}

std::string random_id() {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::system_clock::now().time_since_epoch())
                .count();
  std::string id;
  for (int shift = 45; shift >= 0; shift -= 5) id += kAlphabet[(ms >> shift) & 31];
  std::array<unsigned char, 16> random;
  randombytes_buf(random.data(), random.size());
  for (unsigned char byte : random) id += kAlphabet[byte & 31];
  return id;
}

std::string random_uuid() {
  std::array<unsigned char, 16> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  std::string id;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += "0123456789abcdef"[bytes[i] >> 4];
    id += "0123456789abcdef"[bytes[i] & 15];
  }
  return id;
}

}  // namespace holdall
