#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdall::app {

/// The patterns of a .dockerignore. The last one that matches a path, or a directory above it, decides; `!`
/// keeps.
class Ignore {
 public:
  explicit Ignore(std::string_view file);

  /// Whether the path, relative and with '/' between, is left out.
  bool matches(std::string_view path) const;

  /// Whether a `!` pattern may keep something below this directory.
  bool may_keep_below(std::string_view directory) const;

 private:
  struct Pattern {
    std::vector<std::string> segments;  ///< "**" stands for any number of them
    bool keep = false;
  };
  static bool match(const Pattern& pattern, const std::vector<std::string_view>& path);

  std::vector<Pattern> patterns_;
};

}  // namespace holdall::app
