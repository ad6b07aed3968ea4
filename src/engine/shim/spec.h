#pragma once

#include <cstddef>

namespace holdall::engine {

/// What control tells a new shim: a sealed memfd of length-prefixed strings (docs/formats/shim.md). Never
/// argv, which everybody on the machine may read. The strings live in the mapping until `unmap`.
struct Spec {
  const char* id = nullptr;
  const char* boot_id = nullptr;
  const char* working_dir = nullptr;
  char** argv = nullptr;         ///< ends with nullptr, never empty
  char** environment = nullptr;  ///< ends with nullptr

  /// False if `memfd` holds no specification of this version.
  bool map(int memfd);
  void unmap();

 private:
  void* bytes_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace holdall::engine
