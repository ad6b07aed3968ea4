#include "app/shell_words.h"

namespace holdall::app {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// `2>&1`: the digits before a redirection name a descriptor and are no word.
bool is_descriptor(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::optional<ShellWords> split_shell_words(std::string_view line) {
  ShellWords result;
  std::string word;
  bool in_word = false, single = false, twofold = false, backtick = false;
  int substitutions = 0;  // open `$(`
  for (std::size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    bool quoted = single || twofold || backtick || substitutions > 0;
    if (c == '\\' && !single) {
      if (++i == line.size()) return std::nullopt;
      word += line[i];
      in_word = true;
    } else if (!quoted && blank(c)) {
      if (in_word) result.words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else if (c == '`' && !single && !twofold && substitutions == 0) {
      backtick = !backtick;
      word += c;
      in_word = true;
    } else if (c == ')' && !single && !twofold && !backtick) {
      if (substitutions == 0) return std::nullopt;
      --substitutions;
      word += c;
    } else if (c == '(' && !single && !twofold && !backtick) {
      if (substitutions == 0 && !word.ends_with('$')) return std::nullopt;
      ++substitutions;
      word += c;
    } else if (c == '"' && !single && substitutions == 0 && !backtick) {
      twofold = !twofold;
      in_word = true;
    } else if (c == '\'' && !twofold && substitutions == 0 && !backtick) {
      single = !single;
      in_word = true;
    } else if (!quoted && (c == ';' || c == '&' || c == '|' || c == '<' || c == '>')) {
      if (c == '>' && is_descriptor(word)) in_word = false;
      result.dropped = line.substr(i);
      break;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (single || twofold || backtick || substitutions > 0) return std::nullopt;
  if (in_word) result.words.push_back(std::move(word));
  return result;
}

}  // namespace holdall::app
