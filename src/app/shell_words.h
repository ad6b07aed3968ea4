#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdall::app {

struct ShellWords {
  std::vector<std::string> words;
  std::string dropped;  ///< what follows an unquoted `; & | < >`, from that character on: it is no part of
                        ///< the command
};

/// The words of a command line without a shell: quotes and backslashes are removed, nothing is expanded.
/// Nothing for an unterminated quote, a trailing backslash or an unquoted parenthesis.
std::optional<ShellWords> split_shell_words(std::string_view line);

}  // namespace holdall::app
