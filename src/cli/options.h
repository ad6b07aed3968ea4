#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "cli/description.h"

namespace holdall::cli {

/// The flags and arguments of one command. The names of a flag are written "-n,--tail".
class Options {
 public:
  /// `example` is shown by --help: whole lines, as typed.
  Options(Invocation& call, const std::string& example);
  ~Options();

  void flag(const std::string& names, bool& value, const std::string& help);
  void value(const std::string& names, std::optional<std::string>& value, const std::string& kind,
             const std::string& help);
  /// May be repeated; each takes one value.
  void values(const std::string& names, std::vector<std::string>& values, const std::string& kind,
              const std::string& help);
  void number(const std::string& names, std::optional<int>& value, const std::string& kind,
              const std::string& help);
  void choice(const std::string& names, std::string& value, const std::vector<std::string>& allowed,
              const std::string& help);
  void argument(const std::string& name, std::optional<std::string>& value, const std::string& help,
                bool required = false);
  void arguments(const std::string& name, std::vector<std::string>& values, const std::string& help);
  /// The last of the arguments: a program's name and what it is given, flags and all, as typed. Flags of the
  /// command stand before `where`, the argument before the program.
  void program(const std::string& where, std::string& place, const std::string& where_help,
               const std::string& name, std::vector<std::string>& argv, const std::string& help);

  /// Reads the invocation's arguments, and its global flags where the command has none of the same name.
  /// False: there is nothing more to do, as help was asked for and printed, or what the command takes was
  /// (Invocation::description). Throws `invalid` naming what is wrong and where to look.
  bool parse();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The flags that every command takes.
std::vector<Description::Flag> global_flags();

/// What stands before the command's name, with the name and all after it still to be read.
struct Start {
  Globals globals;
  bool help = false, version = false;
  std::vector<std::string> rest;
};
Start parse_start(int argc, char** argv);

}  // namespace holdall::cli
