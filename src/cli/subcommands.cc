#include "cli/subcommands.h"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "base/error.h"
#include "cli/description.h"
#include "cli/options.h"

namespace holdall::cli {
namespace {

/// The command as a whole: what it does without a word, and each word.
Description describe_words(Invocation& call, const Words& words) {
  Description all;
  if (words.otherwise) {
    all = describe({call.command.name, "", call.command.help, words.otherwise}, call.table);
  }
  all.name = call.command.name;
  all.about = call.command.help;
  all.example = words.example;
  for (const Command& word : words.table) all.words.push_back(describe(word, call.table));
  if (!words.otherwise) all.globals = global_flags();
  return all;
}

std::string listed(std::span<const Command> table) {
  std::string text;
  for (std::size_t i = 0; i < table.size(); ++i) {
    text += i == 0 ? "" : i + 1 == table.size() ? " or " : ", ";
    text += last_word(table[i].name);
  }
  return text;
}

}  // namespace

int run_word(Invocation& call, const Words& words) {
  if (call.description) {
    *call.description = describe_words(call, words);
    return 0;
  }
  std::string word = call.arguments.empty() ? "" : call.arguments.front();
  if (word == "--help" || word == "-h" || (word.empty() && !words.otherwise)) {
    std::fputs(help_text(describe_words(call, words)).c_str(), stdout);
    return 0;
  }
  for (const Command& command : words.table) {
    if (word != last_word(command.name)) continue;
    Invocation inner{
        command, call.globals, {call.arguments.begin() + 1, call.arguments.end()}, std::move(call.key)};
    inner.table = call.table;
    return command.run(inner);
  }
  if (words.otherwise && (word.empty() || word.starts_with("-"))) return words.otherwise(call);
  throw Error(Error::invalid,
              fmt::format("holdall {0}: the first word says what to do: {1}\n  see: holdall {0} --help",
                          call.command.name, listed(words.table)));
}

}  // namespace holdall::cli
