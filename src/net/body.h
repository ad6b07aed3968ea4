#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "net/http.h"

namespace holdall::net {

/// A request's body on its way in: kept in memory, or in an unlinked file once it is larger than 1 MiB.
class BodyCollector {
 public:
  BodyCollector(const http::Head& head, std::uint64_t largest, std::string spool_dir);

  /// Takes what belongs to the body from the front of `bytes` and returns how many bytes that was. Throws
  /// `invalid` for broken chunks, `busy` when the disk does not take it.
  std::size_t feed(std::string_view bytes);
  bool done() const;
  bool too_large() const { return left_ > largest_ || size_ > largest_; }  ///< then nothing more is kept

  std::string take_memory() { return std::move(memory_); }
  Fd take_file();  ///< at offset 0; none for a body in memory

 private:
  void keep(std::string_view data);
  void spool(std::string_view data);

  const bool chunked_;
  const std::uint64_t largest_;
  const std::string spool_dir_;
  std::uint64_t left_;  ///< of a body of known length
  std::uint64_t size_ = 0;
  http::ChunkedReader chunks_;
  std::string memory_;
  Fd file_;
};

}  // namespace holdall::net
