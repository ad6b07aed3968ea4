#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mix.h"

namespace load {

/// Reads one HTTP/1.1 answer as it arrives. Written apart from Holdall's own parser on purpose: it judges
/// that one.
class Answer {
 public:
  enum class State { head, body, complete, malformed };

  /// Takes what has arrived. Bytes after the end of the answer make it malformed: nobody asked for them.
  State take(std::string_view bytes);

  bool begun() const { return begun_; }
  int status() const { return status_; }
  bool closes() const { return closes_; }  ///< the server will end the connection after it
  const std::string& release() const { return release_; }

  /// Why it is not the complete and right answer to `request`, in two or three words; empty if it is.
  std::string fault(const Request& request) const;

 private:
  State parse_head(std::string_view head);
  State take_chunks();

  State state_ = State::head;
  bool begun_ = false, chunked_ = false, closes_ = false;
  int status_ = 0;
  std::size_t length_ = 0;
  std::string pending_;  ///< arrived, not taken yet
  std::string body_, release_, checksum_;
};

}  // namespace load
