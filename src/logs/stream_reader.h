#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>

#include "logs/logs.h"
#include "logs/segments.h"

namespace holdall::logs {

/// The lines of one stream from an offset on, read in blocks. Single-threaded.
class StreamReader {
 public:
  StreamReader(std::filesystem::path instance_dir, Stream stream, std::uint64_t offset)
      : dir_(std::move(instance_dir)), stream_(stream), offset_(offset) {}

  /// Looks for what came since; `peek` gives only what was there at the last look.
  void look() { looked_ = false; }

  /// The next line, if one is there; the rest of the stream counts as one when `ended`. Valid until `take`.
  const Line* peek(bool ended);
  void take();

  std::uint64_t offset() const { return offset_; }  ///< of the first byte not taken
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Mark {
    std::uint64_t offset, realtime_ns;
  };

  bool read_more();
  void read_marks(const Segment& segment);
  void cut(std::size_t size, std::size_t newline, bool partial);
  WallTime time_of(std::uint64_t offset);

  std::filesystem::path dir_;
  Stream stream_;
  std::uint64_t offset_;
  std::uint64_t dropped_ = 0;

  std::string buffer_;        ///< the stream from offset_ - begin_ on
  std::size_t begin_ = 0;     ///< in the buffer: the first byte not taken
  std::size_t searched_ = 0;  ///< no newline between begin_ and here
  bool looked_ = false;       ///< nothing more was there at the last look
  std::optional<Line> line_;
  std::size_t line_bytes_ = 0;  ///< with its newline

  std::deque<Mark> marks_;           ///< in order; what is before offset_ goes, but for the last
  std::uint64_t marks_segment_ = 0;  ///< whose marks were read last
  std::uint64_t marks_read_ = 0;     ///< bytes of that file
};

}  // namespace holdall::logs
