#pragma once

#include <string>
#include <string_view>

namespace holdall::cli {

/// A line of a file as it is shown beside a problem, and where in it the problem is, both counted in columns
/// of a terminal.
struct SourceLine {
  std::string text;  ///< UTF-8 without control characters, tabs as spaces, cut where it is long
  std::size_t at = 0;
  std::size_t width = 1;  ///< of the word there
};

/// What of `line` may be shown of a problem at `column`, counted in characters from 1. The values of names
/// that sound secret (base/secret_name.h) and passwords in URLs are replaced: who reads an error need not be
/// who may read the file.
SourceLine source_line(std::string_view line, int column);

/// `text` with what would move a cursor or turn the direction of writing replaced; newlines stay.
std::string without_controls(std::string_view text);

}  // namespace holdall::cli
