#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/time.h"

namespace holdall::engine {

/// Read-only trees, each named by what it holds (docs/formats/artefacts.md). Thread-safe.
class Artefacts {
 public:
  explicit Artefacts(std::filesystem::path directory);

  /// See Engine::prepare. Throws `failed` with the last lines of what a build said that did not succeed,
  /// `invalid` for a tree that holds more than files, directories and links.
  Digest prepare(const std::filesystem::path& source, const std::vector<std::string>& build,
                 Deadline deadline) const;

  bool has(const Digest& artefact) const;
  /// See Engine::keep_artefacts.
  void keep(const std::vector<Digest>& kept) const;

  /// Where it is, whether it is there or not.
  std::filesystem::path path(const Digest& artefact) const;

 private:
  std::filesystem::path directory_;
};

/// The digest of everything under `directory`: paths, kinds, whether files may be executed, contents, targets
/// of links.
Digest tree_digest(const std::filesystem::path& directory);

}  // namespace holdall::engine
