#include "base/id.h"

#include <sodium/randombytes.h>

#include <array>
#include <chrono>
#include <cstdint>

namespace holdall {

std::string random_id() {
  constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
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

}  // namespace holdall
