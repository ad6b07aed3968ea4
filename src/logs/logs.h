#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/time.h"

namespace holdall::logs {

/// What instances said, as the shim wrote it: a directory an instance, in it for each of `stdout` and
/// `stderr` raw segments named by the offset of their first byte, and beside each a side file of (offset,
/// time) marks (docs/formats/log-segments.md). Bytes are never changed; lines are cut here, at reading.
enum class Stream : std::uint8_t { out, err };

struct Line {
  Stream stream;
  WallTime time;             ///< of the mark at or before its first byte
  std::uint64_t offset = 0;  ///< of its first byte in the stream
  std::string text;          ///< without its newline; over 1 MiB it comes in pieces
  bool partial = false;      ///< no newline yet: the end of the stream, or a piece
};

/// `LOGS/app/service.slot/instance-id`: made by the engine, read by everybody.
std::filesystem::path instance_dir(const std::filesystem::path& logs, const std::string& app,
                                   const std::string& service, int slot, const InstanceId& id);

/// A place in an instance's two streams.
struct Cursor {
  std::uint64_t out = 0, err = 0;
  bool operator==(const Cursor&) const = default;
};

class StreamReader;

/// Reads on from a cursor, merging both streams by time. Single-threaded; opens the files anew as they
/// appear.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& instance_dir, Cursor from = {});
  ~Reader();
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;

  /// Up to `most` lines; empty when there is nothing new now. A last line without newline is given only when
  /// `ended`.
  std::vector<Line> next(std::size_t most, bool ended = false);
  Cursor cursor() const;
  std::uint64_t dropped() const;  ///< bytes that retention removed before they were read

 private:
  std::unique_ptr<StreamReader> out_, err_;
};

/// The last `count` lines, oldest first, both streams merged by time: reads from the end, not the whole. A
/// last line without newline is among them, `partial`; a Reader that goes on from `end` gives it again when
/// it is whole.
std::vector<Line> tail(const std::filesystem::path& instance_dir, std::size_t count);

/// Where reading all that is new now would end, after the last newline: for `-n 0 -f`.
Cursor end(const std::filesystem::path& instance_dir);

struct InstanceLog {
  std::string service;
  int slot = 0;
  InstanceId id;
  std::filesystem::path dir;
};
/// Every instance of the app that left output, oldest first.
std::vector<InstanceLog> list(const std::filesystem::path& logs, const std::string& app);

/// Deletes whole segments, oldest first, until the instance's streams take at most `bytes` each; never the
/// newest.
void retain(const std::filesystem::path& instance_dir, std::uint64_t bytes);

}  // namespace holdall::logs
