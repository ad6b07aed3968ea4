#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cli.h"

namespace holdall::cli {

/// What makes a shell complete `holdall`: it asks the command itself, so that it never is out of date. Throws
/// `invalid` for a shell that is not bash, zsh or fish.
std::string_view completion_script(std::string_view shell);

/// A word that could stand where the cursor is, and what it means.
struct Candidate {
  std::string word, help;
  bool operator==(const Candidate&) const = default;
};

/// What the caller's project and server have, asked only when a word of that kind is wanted.
class Names {
 public:
  virtual ~Names() = default;
  /// "SERVICE", "APP", "RELEASE" or "ENV"; nothing where it is not known, or not known at once.
  virtual std::vector<std::string> of(std::string_view kind, const Globals& globals) = 0;
};

/// The words that the last of `words` may become; those before it stand on the command line already, without
/// `holdall` itself. A single ":files" or ":directories": the shell knows better.
std::vector<Candidate> candidates(std::span<const Command> table, const std::vector<std::string>& words,
                                  Names& names);

}  // namespace holdall::cli
