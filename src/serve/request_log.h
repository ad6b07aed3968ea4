#pragma once

#include <cstdint>
#include <filesystem>

#include "base/fd.h"
#include "base/json.h"
#include "base/time.h"

namespace holdall::serve {

/// The router's lines on their way to the disk. The router may write no file and may never wait, so it writes
/// into a pipe; this end moves what has come into `current.log`, which becomes `<n>.log` when it is full. A
/// disk that takes nothing stops nobody: lines are then thrown away and counted.
class RequestLog {
 public:
  /// Makes `directory`. A file is full at `file_bytes`, at the next end of a line. `pipe` does not block.
  RequestLog(std::filesystem::path directory, std::uint64_t file_bytes, Pipe pipe);
  /// For this process's next image, which makes one of the pipe that `resume` gives back.
  Json passed() const;
  static Pipe resume(const Json& passed);

  const Fd& write_end() const { return pipe_.write; }
  int descriptor() const { return pipe_.read.get(); }  ///< readable: call `move`

  /// Moves what is in the pipe; never waits for more.
  void move();

 private:
  void open_current();
  void give_up(int error);
  void discard();
  void rotate_if_full();

  const std::filesystem::path directory_;
  const std::uint64_t file_bytes_;
  Pipe pipe_;
  Fd file_;  ///< current.log; none while the disk takes nothing
  std::uint64_t size_ = 0;
  std::uint64_t next_number_ = 1;
  bool failing_ = false;         ///< the disk takes nothing
  std::uint64_t discarded_ = 0;  ///< bytes meanwhile
  Instant try_again_ = Instant::min();
};

}  // namespace holdall::serve
