#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/description.h"
#include "cli/options.h"
#include "cli/problems.h"
#include "cli/terminal.h"
#include "cli/words.h"

extern char** environ;

namespace holdall::cli {
namespace {

void print_help(std::span<const Command> table) {
  std::string text = "Your compose.yaml, in production.\n\nUsage: holdall [FLAGS] COMMAND [ARGUMENTS]\n";
  std::string_view group;
  for (const Command& command : table) {
    if (command.group.empty()) continue;
    if (command.group != group) text += fmt::format("\n{}:\n", command.group);
    group = command.group;
    text += fmt::format("  {:<12}{}\n", command.name, command.help);
  }
  text += "\nGlobal flags:\n" + flags_text(global_flags());
  text +=
      "\nExample:\n  holdall up          run the app of this directory, here\n"
      "  holdall deploy      release it on the server\n\n"
      "holdall COMMAND --help says more of each.\n";
  std::fputs(text.c_str(), stdout);
}

/// The variables that may hold a private key; HOLDALL_KEYS is a directory.
std::vector<std::string> key_variables() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view variable = *entry;
    std::string_view name = variable.substr(0, variable.find('='));
    if (name.starts_with("HOLDALL_KEY") && name != "HOLDALL_KEYS") names.emplace_back(name);
  }
  return names;
}

/// The key that HOLDALL_KEY holds. All that may hold one is overwritten before anything else is done, so that
/// no process gets it passed on.
std::optional<Secret> take_keys_from_environment() {
  std::optional<Secret> key;
  Terminal errors(2, "auto");
  for (const std::string& name : key_variables()) {
    keep_memory_private();
    std::optional<Secret> taken = take_from_environment(name);
    errors.line(
        errors.paint(Colour::yellow, "warning: ") +
        fmt::format("{} was in the environment, where every process of this user could read it; it is "
                    "not passed on. Keep a key in a file: --key-file FILE",
                    name));
    if (name == "HOLDALL_KEY") key = std::move(taken);
  }
  return key;
}

const Command* find(std::span<const Command> table, std::string_view name) {
  auto command =
      std::find_if(table.begin(), table.end(), [&](const Command& row) { return row.name == name; });
  return command == table.end() ? nullptr : &*command;
}

int dispatch(std::span<const Command> table, Start start) {
  if (start.version) start.rest = {"version"};
  bool help = start.help || start.rest.empty() || start.rest.front() == "help";
  if (help && start.rest.size() < 2) {
    print_help(table);
    return 0;
  }
  if (help) start.rest = {start.rest[1], "--help"};
  const Command* command = find(table, start.rest.front());
  if (!command) throw Error(Error::invalid, unknown_command(start.rest, table));
  Invocation call{*command,
                  std::move(start.globals),
                  {start.rest.begin() + 1, start.rest.end()},
                  take_keys_from_environment(),
                  table};
  return command->run(call);
}

}  // namespace

int command_line(std::span<const Command> table, int argc, char** argv) {
  Terminal errors(2, "auto");
  try {
    int code = dispatch(table, parse_start(argc, argv));
    // What was printed must have arrived: `holdall config > /full/disk` has not succeeded.
    if (std::fflush(stdout) != 0) throw_errno(Error::failed, "write the answer", errno);
    return code;
  } catch (const Problems& problems) {
    std::fflush(stdout);
    print_errors(errors, problems.all(), problems.directory());
    return exit_code(problems.kind());
  } catch (const Error& error) {
    std::fflush(stdout);
    errors.line(errors.paint(Colour::red, "error: ") + error.what());
    return exit_code(error.kind());
  } catch (const std::exception& error) {
    errors.line(fmt::format("error: a bug of holdall: {}", error.what()));
    return exit_code(Error::broken);
  }
}

}  // namespace holdall::cli
