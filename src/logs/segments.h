#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "logs/logs.h"

namespace holdall::logs {

/// One file of a stream: its bytes from `base` on.
struct Segment {
  std::uint64_t base = 0;
  std::uint64_t size = 0;  ///< now; the last one grows
  std::filesystem::path path;

  std::uint64_t end() const { return base + size; }
  std::filesystem::path times() const;
};

/// The segments of a stream, in order; none if the directory is not there.
std::vector<Segment> segments(const std::filesystem::path& instance_dir, Stream stream);

/// Up to `most` bytes of the stream from `offset`, over the borders of segments; less at its end. From a
/// place that retention has removed, nothing.
std::string read_at(const std::vector<Segment>& segments, std::uint64_t offset, std::size_t most);

}  // namespace holdall::logs
