#pragma once

#include <cstddef>
#include <cstdint>

namespace holdall::engine {

/// A process between app and disk that reads and writes loses what it had read when it is killed. Segments
/// moves a pipe's bytes into files by splice, so that each byte is in the pipe or in the file, never in
/// between (docs/formats/log-segments.md). When the disk takes no more, the app must go on: the bytes are
/// dropped and counted. Used by the shim, and by control for what a killed shim left in its pipe. Compiled
/// without exceptions.
class Segments {
 public:
  /// Into the directory, which stays the caller's; `stream` is "stdout" or "stderr" and outlives this.
  Segments(int directory, const char* stream) : directory_(directory), stream_(stream) {}
  ~Segments();
  Segments(const Segments&) = delete;

  /// Goes on after what is there already. False if the directory cannot be read.
  bool resume();

  enum class Moved : std::uint8_t { some, nothing, end };
  /// Moves what the pipe holds now, without waiting. `end`: no writer is left and it is empty.
  Moved move(int pipe);

  /// Everything moved is on the disk. False if the disk refused.
  bool flush();

 private:
  bool open_segment();
  void close_segment();
  void mark();
  Moved discard(int pipe);
  void note_lost();
  std::uint64_t offset() const { return base_ + static_cast<std::uint64_t>(position_); }

  int directory_;
  const char* stream_;
  int segment_ = -1, times_ = -1;
  std::uint64_t base_ = 0;      ///< offset in the stream of the segment's first byte
  std::int64_t position_ = 0;   ///< in the segment
  std::int64_t marks_ = 0;      ///< bytes of whole marks beside it
  std::int64_t last_mark_ = 0;  ///< realtime, ns
  std::int64_t retry_at_ = 0;   ///< realtime, ns: before it everything is dropped
  std::uint64_t lost_ = 0;      ///< dropped and not yet noted
};

}  // namespace holdall::engine
