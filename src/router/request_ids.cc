#include "router/request_ids.h"

#include <sys/random.h>

#include "base/fd.h"

namespace holdall::router {

std::string_view RequestIds::next() {
  if (used_ + 16 > random_.size()) {
    // Requests for at most 256 bytes are never cut short or interrupted (getrandom(2)).
    for (std::size_t at = 0; at < random_.size(); at += 256) {
      checked(static_cast<int>(getrandom(random_.data() + at, 256, 0)), "read random bytes");
    }
    used_ = 0;
  }
  unsigned char* bytes = random_.data() + used_;
  used_ += 16;
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  char* out = text_.data();
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = "0123456789abcdef"[bytes[i] >> 4];
    *out++ = "0123456789abcdef"[bytes[i] & 15];
    bytes[i] = 0;
  }
  return {text_.data(), text_.size()};
}

}  // namespace holdall::router
