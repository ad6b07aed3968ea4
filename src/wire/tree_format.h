#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdall::wire {

// The bytes of docs/formats/tree-archive.md.
inline constexpr std::string_view kTreeMagic{"HTREE\0\1\n", 8};
inline constexpr char kDirectory = 'd', kFile = 'f', kExecutable = 'x', kLink = 'l', kEnd = 'e';

// What Linux takes: PATH_MAX with its final NUL, NAME_MAX.
inline constexpr std::size_t kLongestPath = 4095;
inline constexpr std::size_t kLongestName = 255;

// More than any source tree has; bounds the memory that a reader spends on the directories it has seen.
inline constexpr std::size_t kMostEntries = 1'000'000;

/// Why `path` may not stand in an archive, or an empty string.
std::string fault_of_path(std::string_view path);

/// Why a link at `path` may not point to `target`, or an empty string. A target is relative and climbs only
/// at its beginning and not above the root: then no chain of such links leaves the tree, whatever the links
/// on the way are.
std::string fault_of_link(std::string_view path, std::string_view target);

}  // namespace holdall::wire
