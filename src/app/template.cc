#include "app/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace holdall::app {
namespace {

// A variable that doubles the one before it, forty times over, is a terabyte.
constexpr std::size_t kMostBytes = std::size_t{1} << 20;
// Each level reads its word once more, so that depth is what time is quadratic in.
constexpr int kDeepest = 100;

bool starts_name(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
bool continues_name(char c) { return starts_name(c) || (c >= '0' && c <= '9'); }

std::size_t name_length(std::string_view text) {
  if (text.empty() || !starts_name(text[0])) return 0;
  std::size_t n = 1;
  while (n < text.size() && continues_name(text[n])) ++n;
  return n;
}

/// `text` begins after `${`: the position of the brace that closes it. A word ends before its line does, at
/// the brace that balances, or at the line's last where none does; the character after a brace that opens
/// counts for nothing. So the reference has it.
std::size_t closing_brace(std::string_view text) {
  const std::size_t length = name_length(text);
  if (length > 0 && text.substr(length).starts_with('}')) return length;
  const std::size_t last = text.substr(0, text.find('\n')).rfind('}');
  if (last == std::string_view::npos || last <= length) return std::string_view::npos;
  int open = 1;
  for (std::size_t i = 1; i < last; ++i) {
    if (text[i] == '}' && --open == 0) return i;
    if (text[i] == '{') {
      ++open;
      ++i;
    }
  }
  return last;
}

class Substitution {
 public:
  Substitution(const Lookup& lookup, const std::function<void(const std::string&)>& unset,
               std::string_view dollar)
      : lookup_(lookup), unset_(unset), dollar_(dollar) {}

  /// What `text` comes to. `used` is false for the word of a default that the variable's own value makes
  /// idle: its faults still count, its unset variables do not.
  std::string expand(std::string_view text, bool used, int depth) {
    if (depth > kDeepest) return fail(fmt::format("more than {} levels of '${{'", kDeepest));
    std::string out;
    while (!text.empty() && error_.empty()) {
      std::size_t dollar = text.find('$');
      out += text.substr(0, dollar);
      if (dollar == std::string_view::npos) break;
      text.remove_prefix(dollar + 1);
      if (text.starts_with('$')) {
        out += dollar_;
        text.remove_prefix(1);
      } else if (text.starts_with('{')) {
        text.remove_prefix(1);
        std::size_t close = closing_brace(text);
        // Without a name there is nothing to close: that is what is said of it.
        if (name_length(text) == 0) close = std::min(close, text.find('}'));
        if (close == std::string_view::npos)
          return fail(fmt::format("'${{{}' has no closing brace{}",
                                  text.substr(0, std::min<std::size_t>(text.find('\n'), 60)),
                                  text.find('}') == std::string_view::npos ? "" : " on its line"));
        out += braced(text.substr(0, close), used, depth);
        text.remove_prefix(close + 1);
      } else if (std::size_t length = name_length(text)) {
        out += value(std::string(text.substr(0, length)), used);
        text.remove_prefix(length);
      } else {
        out += dollar_;
      }
      if (out.size() > kMostBytes) return fail("the value grows over 1 MiB");
    }
    return out;
  }

  const std::string& error() const { return error_; }

 private:
  std::string fail(std::string what) {
    if (error_.empty()) error_ = std::move(what);
    return {};
  }

  std::string value(const std::string& name, bool used) {
    auto found = lookup_(name);
    if (!found && used) unset_(name);
    return found.value_or("");
  }

  /// `inner` is what stands between the braces.
  std::string braced(std::string_view inner, bool used, int depth) {
    std::size_t length = name_length(inner);
    std::string name(inner.substr(0, length));
    std::string_view rest = inner.substr(length);
    if (length > 0 && rest.empty()) return value(name, used);

    bool empty_counts_as_unset = rest.starts_with(':');
    std::string_view operation = rest.substr(empty_counts_as_unset ? 1 : 0);
    char sign = operation.empty() ? '\0' : operation[0];
    if (length == 0 || (sign != '-' && sign != '?' && sign != '+')) {
      return fail(
          fmt::format("'${{{}}}' is no variable: write ${{NAME}}, ${{NAME:-default}}, ${{NAME:?message}} or "
                      "${{NAME:+value}}, or $$ for a dollar sign",
                      inner.substr(0, 60)));
    }
    auto found = lookup_(name);
    bool set = found && !(empty_counts_as_unset && found->empty());
    bool word_used = used && (sign == '+' ? set : !set);
    std::string word = expand(operation.substr(1), word_used, depth + 1);
    if (sign == '-') return set ? *found : word;
    if (sign == '+') return set ? word : "";
    if (set) return *found;
    return fail(word.empty() ? fmt::format("required variable {} has no value", name)
                             : fmt::format("required variable {} has no value: {}", name, word));
  }

  const Lookup& lookup_;
  const std::function<void(const std::string&)>& unset_;
  std::string_view dollar_;
  std::string error_;
};

}  // namespace

Substituted substitute(std::string_view text, const Lookup& lookup,
                       const std::function<void(const std::string& name)>& unset, std::string_view dollar) {
  if (text.find('$') == std::string_view::npos) return {std::string(text), ""};
  Substitution substitution(lookup, unset, dollar);
  std::string out = substitution.expand(text, true, 1);
  return {std::move(out), substitution.error()};
}

void each_mention(std::string_view text, const std::function<void(Mention)>& note) {
  // A word is shorter than what it stands in, and each is read once more for each level it is in.
  std::vector<std::pair<std::string_view, int>> open{{text, 1}};
  while (!open.empty()) {
    auto [rest, depth] = open.back();
    open.pop_back();
    for (std::size_t dollar; (dollar = rest.find('$')) != std::string_view::npos;) {
      rest.remove_prefix(dollar + 1);
      if (rest.starts_with('$')) {
        rest.remove_prefix(1);
      } else if (const std::size_t length = name_length(rest)) {
        note({.name = std::string(rest.substr(0, length))});
        rest.remove_prefix(length);
      } else if (const std::size_t close = closing_brace(rest.substr(std::min<std::size_t>(1, rest.size())));
                 rest.starts_with('{') && close != std::string_view::npos) {
        const std::string_view inner = rest.substr(1, close);
        const std::size_t named = name_length(inner);
        std::string_view word = inner.substr(named);
        if (word.starts_with(':')) word.remove_prefix(1);
        const char sign = word.empty() ? '\0' : word[0];
        word.remove_prefix(std::min<std::size_t>(1, word.size()));
        if (named > 0) {
          note({.name = std::string(inner.substr(0, named)),
                .fallback = std::string(sign == '-' ? word : ""),
                .alternate = std::string(sign == '+' ? word : ""),
                .required = sign == '?'});
        }
        if (depth < kDeepest) open.emplace_back(word, depth + 1);
        rest.remove_prefix(close + 2);
      }
    }
  }
}

std::string escape_dollars(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '$') out += '$';
    out += c;
  }
  return out;
}

std::string unescape_dollars(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '$') ++i;
  }
  return out;
}

}  // namespace holdall::app
