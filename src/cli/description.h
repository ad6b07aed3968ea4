#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cli.h"

namespace holdall::cli {

/// What a command takes, as its own function says it. `--help`, the manual pages and the shells' completion
/// are made from this and from nothing else.
struct Description {
  struct Flag {
    std::string names;  ///< "-n,--tail"
    std::string kind;   ///< of its value: "LINES", "FILE", "never|always|auto"; empty: it takes none
    std::string help;
    bool operator==(const Flag&) const = default;
  };
  struct Argument {
    std::string name;  ///< "SERVICE"; lower case: the word itself, or some of them: "add|remove"
    std::string help;
    bool required = false;
    bool many = false;
    bool operator==(const Argument&) const = default;
  };

  std::string name;     ///< "secrets seal"
  std::string about;    ///< one line
  std::string example;  ///< whole lines, as typed
  std::vector<Flag> flags, globals;
  std::vector<Argument> arguments;
  bool runs_program = false;       ///< what follows its first argument is another program's
  std::vector<Description> words;  ///< of a command whose first argument says what to do
};

/// Asks the command's function.
Description describe(const Command& command, std::span<const Command> table);

/// "-n, --tail LINES".
std::string text(const Description::Flag& flag);

/// "holdall logs [FLAGS] [SERVICE...]".
std::string usage(const Description& command);

/// What --help prints.
std::string help_text(const Description& command);

/// Lines of two columns, as --help has them.
std::string flags_text(const std::vector<Description::Flag>& flags);

/// The name of what is asked for: "seal" of "secrets seal".
std::string_view last_word(std::string_view name);

}  // namespace holdall::cli
