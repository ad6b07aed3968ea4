#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace holdall::router {

/// Random ids of requests, in the form of a version 4 UUID. One thread's. The kernel's randomness is taken by
/// the page, so that an id costs no system call.
class RequestIds {
 public:
  /// Valid until the next call.
  std::string_view next();

 private:
  std::array<unsigned char, 4096> random_;
  std::size_t used_ = sizeof random_;
  std::array<char, 36> text_;
};

}  // namespace holdall::router
