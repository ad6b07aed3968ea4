#pragma once

#include <cstddef>
#include <cstdint>

namespace holdall::engine {

/// What control tells a new shim: a sealed memfd of length-prefixed strings (docs/formats/shim.md). Never
/// argv, which everybody on the machine may read. The strings live in the mapping until `unmap`.
struct Spec {
  const char* id = nullptr;
  const char* boot_id = nullptr;
  const char* working_dir = nullptr;
  unsigned uid = 0;                ///< and gid; 0: the shim's own
  const char* cover = nullptr;     ///< the directory of which the program sees the next two alone
  const char* artefact = nullptr;  ///< its tree, below `cover`
  const char* home = nullptr;      ///< made for it, below `cover`
  std::uint64_t open_files = 0, core_bytes = 0;  ///< soft limits
  char** argv = nullptr;                         ///< ends with nullptr, never empty
  char** environment = nullptr;                  ///< ends with nullptr
  // What later versions of Holdall add; older ones end before it.
  const char* oom_score_adj = "0";
  int groups = 0;            ///< descriptors from kGroupsFd on
  char** ulimits = nullptr;  ///< each three: which resource, its soft and its hard limit; ends with nullptr

  /// False if `memfd` holds no specification of this version.
  bool map(int memfd);
  void unmap();

 private:
  void* bytes_ = nullptr;
  std::size_t size_ = 0;
};

/// Values that only the program may see: read from the pipe by the process that becomes it, so that the shim
/// never has them. They live as long as the process.
struct Secrets {
  struct File {
    const char* target;
    unsigned mode;
    const char* bytes;
    std::size_t size;
  };
  File* files = nullptr;
  std::size_t file_count = 0;
  char** variables = nullptr;  ///< NAME=value; ends with nullptr; nullptr: none

  /// Reads the pipe to its end; nothing in it: nothing to see. False if what it holds is not whole.
  bool read_from(int pipe);
};

}  // namespace holdall::engine
