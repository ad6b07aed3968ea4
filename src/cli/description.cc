#include "cli/description.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdall::cli {
namespace {

constexpr std::size_t kWidest = 32;  // a first column that is wider stands on a line of its own

using Row = std::pair<std::string, std::string>;

std::string columns(const std::vector<Row>& rows) {
  std::size_t width = 0;
  for (const auto& [left, right] : rows) {
    if (left.size() <= kWidest) width = std::max(width, left.size());
  }
  std::string text;
  for (const auto& [left, right] : rows) {
    if (left.size() > width) {
      text += fmt::format("  {}\n  {:{}}  {}\n", left, "", width, right);
    } else {
      text += fmt::format("  {:<{}}  {}\n", left, width, right);
    }
  }
  return text;
}

std::string text(const Description::Argument& argument) {
  std::string name = argument.name + (argument.many ? "..." : "");
  return argument.required ? name : "[" + name + "]";
}

}  // namespace

std::string_view last_word(std::string_view name) { return name.substr(name.rfind(' ') + 1); }

Description describe(const Command& command, std::span<const Command> table) {
  Description description;
  Invocation call{.command = command, .globals = {}, .arguments = {}, .key = {}};
  call.table = table;
  call.description = &description;
  command.run(call);
  return description;
}

std::string text(const Description::Flag& flag) {
  std::string names = flag.names;
  for (std::size_t comma = names.find(','); comma != names.npos; comma = names.find(',', comma + 2))
    names.insert(comma + 1, " ");
  return flag.kind.empty() ? names : names + " " + flag.kind;
}

std::string usage(const Description& command) {
  std::string line = fmt::format("holdall {} [FLAGS]", command.name);
  if (!command.words.empty()) line += command.arguments.empty() ? " WORD" : " [WORD]";
  for (const Description::Argument& argument : command.arguments) line += " " + text(argument);
  return line;
}

std::string flags_text(const std::vector<Description::Flag>& flags) {
  std::vector<Row> rows;
  for (const Description::Flag& flag : flags) rows.emplace_back(text(flag), flag.help);
  return columns(rows);
}

std::string help_text(const Description& command) {
  std::string out = fmt::format("{}\n\nUsage: {}\n", command.about, usage(command));
  std::vector<Row> words, arguments;
  for (const Description& word : command.words) words.emplace_back(last_word(word.name), word.about);
  for (const Description::Argument& argument : command.arguments) {
    if (!argument.help.empty()) arguments.emplace_back(text(argument), argument.help);
  }
  if (!words.empty()) out += "\nWords:\n" + columns(words);
  if (!arguments.empty()) out += "\nArguments:\n" + columns(arguments);
  if (!command.flags.empty()) out += "\nFlags:\n" + flags_text(command.flags);
  if (!command.globals.empty()) out += "\nGlobal flags:\n" + flags_text(command.globals);
  out += fmt::format("\nExample:\n{}\n", command.example);
  if (!words.empty()) out += fmt::format("\nholdall {} WORD --help says more of each.\n", command.name);
  return out;
}

}  // namespace holdall::cli
