#pragma once

#include <span>
#include <string_view>

#include "cli/cli.h"

namespace holdall::cli {

/// A command whose first argument says what to do. Each word is a command of its own, named with both words:
/// "secrets seal".
struct Words {
  std::span<const Command> table;
  std::string_view example;                 ///< whole lines, as typed
  int (*otherwise)(Invocation&) = nullptr;  ///< runs when no word of the table is said: `apps` lists them
};

/// Runs the word that the invocation's arguments begin with. Without one, or with --help, and nothing to do
/// `otherwise`, the words are listed. Throws `invalid` for a word that is none of them, without repeating it:
/// it may be a value that was typed in the wrong place.
int run_word(Invocation& call, const Words& words);

}  // namespace holdall::cli
