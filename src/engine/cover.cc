#include "engine/cover.h"

#include <sys/stat.h>

namespace holdall::engine {

std::filesystem::path cover_of(const std::filesystem::path& state) {
  std::filesystem::path at = state.root_path();
  for (const auto& name : state.relative_path()) {
    at /= name;
    struct stat info;
    if (at == state || stat(at.c_str(), &info) != 0 || !(info.st_mode & S_IXOTH)) break;
  }
  return at;
}

}  // namespace holdall::engine
