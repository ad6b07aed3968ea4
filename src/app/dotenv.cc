#include "app/dotenv.h"

#include <fmt/format.h>

namespace holdall::app {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

bool key_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-' || c == '[' || c == ']' || static_cast<unsigned char>(c) >= 0x80;
}

std::string_view trim_end(std::string_view text) {
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool octal(char c) { return c >= '0' && c <= '7'; }

/// The escapes of a double-quoted value. `\$` becomes `$$`, which the expansion after it takes for a dollar
/// sign; what is no escape stays as it is, backslash included.
std::string unescape(std::string_view text) {
  constexpr std::string_view letters = "abfnrtv\"\\", meanings = "\a\b\f\n\r\t\v\"\\";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    std::size_t letter = next == '\0' ? std::string_view::npos : letters.find(next);
    bool three_octal =
        next == '0' && i + 4 < text.size() && octal(text[i + 2]) && octal(text[i + 3]) && octal(text[i + 4]);
    if (letter != std::string_view::npos) {
      out += meanings[letter];
      ++i;
    } else if (next == '$') {
      out += "$$";
      ++i;
    } else if (three_octal) {
      out += static_cast<char>((text[i + 2] - '0') * 64 + (text[i + 3] - '0') * 8 + (text[i + 4] - '0'));
      i += 4;
    } else {
      out += text[i];
    }
  }
  return out;
}

class DotenvParser {
 public:
  DotenvParser(std::string_view bytes, const std::string& file, const Lookup& outside,
               std::map<std::string, std::string>& variables, Findings& findings)
      : rest_(bytes), file_(file), outside_(outside), variables_(variables), findings_(findings) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
  }

  void parse() {
    while (to_next_statement()) {
      if (!statement()) skip_line();
    }
  }

 private:
  Where here() const { return {file_, line_, 0}; }

  bool refuse(int line, std::string what, std::string hint = "") {
    findings_.refuse({file_, line, 0}, std::move(what), std::move(hint));
    return false;
  }

  void advance(std::size_t bytes) {
    for (char c : rest_.substr(0, bytes)) line_ += c == '\n';
    rest_.remove_prefix(std::min(bytes, rest_.size()));
  }

  void skip_line() { advance(std::min(rest_.find('\n'), rest_.size() - 1) + 1); }

  bool to_next_statement() {
    while (!rest_.empty()) {
      if (rest_[0] == '#') {
        skip_line();
      } else if (rest_[0] == '\n' || blank(rest_[0])) {
        advance(1);
      } else {
        return true;
      }
    }
    return false;
  }

  /// One `KEY=value` or `KEY`. False: it was refused and what is left of its line means nothing.
  bool statement() {
    if (rest_.starts_with("export") && rest_.size() > 6 && blank(rest_[6])) {
      advance(6);
      while (!rest_.empty() && blank(rest_[0])) advance(1);
    }
    std::size_t end = rest_.find_first_of("=:\n");
    bool inherited = end == std::string_view::npos || rest_[end] == '\n';
    std::string_view key = trim_end(rest_.substr(0, end));
    for (char c : key) {
      if (blank(c))
        return refuse(line_, fmt::format("'{}': a name cannot hold a blank", key), "write KEY=value");
      if (!key_character(c)) {
        return refuse(line_, fmt::format("'{}': a name cannot hold '{}'", key, c),
                      "names are letters, digits, '_', '.', '-', '[' and ']'");
      }
    }
    if (key.empty()) return refuse(line_, "a value without a name", "write KEY=value");

    if (inherited) {
      if (auto value = outside_(std::string(key))) variables_[std::string(key)] = *value;
      skip_line();
      return true;
    }
    std::string name(key);
    advance(end + 1);
    while (!rest_.empty() && blank(rest_[0])) advance(1);
    if (rest_.starts_with('"') || rest_.starts_with('\'')) return quoted(name);

    std::string_view value = rest_.substr(0, rest_.find('\n'));
    value = trim_end(value.substr(0, value.find(" #")));
    assign(name, std::string(value), line_);
    skip_line();
    return true;
  }

  /// The rest begins with the opening quote. What follows the closing one is read as a statement of its own.
  bool quoted(const std::string& name) {
    const char quote = rest_[0];
    const int line = line_;
    std::string value;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '\\' && i + 1 < rest_.size()) {
        if (rest_[i + 1] != quote) value += '\\';
        value += rest_[++i];
      } else if (rest_[i] == quote) {
        advance(i + 1);
        if (quote == '"') {
          assign(name, unescape(value), line);
        } else {
          variables_[name] = std::move(value);
        }
        return true;
      } else {
        value += rest_[i];
      }
    }
    refuse(line, fmt::format("{}: the quoted value has no closing {}", name, quote));
    rest_ = {};
    return true;
  }

  void assign(const std::string& name, const std::string& value, int line) {
    auto lookup = [&](const std::string& wanted) -> std::optional<std::string> {
      if (auto found = outside_(wanted)) return found;
      auto earlier = variables_.find(wanted);
      return earlier == variables_.end() ? std::nullopt : std::optional(earlier->second);
    };
    Substituted result = substitute(value, lookup, [](const std::string&) {});
    if (result.error.empty()) {
      variables_[name] = std::move(result.text);
    } else {
      refuse(line, fmt::format("{}: {}", name, result.error));
    }
  }

  std::string_view rest_;
  const std::string& file_;
  const Lookup& outside_;
  std::map<std::string, std::string>& variables_;
  Findings& findings_;
  int line_ = 1;
};

void parse_raw(std::string_view bytes, const std::string& file, const Lookup& outside,
               std::map<std::string, std::string>& variables, Findings& findings) {
  for (int line = 1; !bytes.empty(); ++line) {
    std::string_view text = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(text.size() + 1, bytes.size()));
    if (text.ends_with('\r')) text.remove_suffix(1);
    while (!text.empty() && blank(text[0])) text.remove_prefix(1);
    if (text.empty() || text[0] == '#') continue;
    std::size_t equals = text.find('=');
    std::string key(text.substr(0, equals));
    if (key.empty() || key.find_first_of(" \t") != std::string::npos) {
      findings.refuse({file, line, 0}, fmt::format("'{}' is no name", key), "write KEY=value");
    } else if (equals != std::string_view::npos) {
      variables[key] = text.substr(equals + 1);
    } else if (auto value = outside(key)) {
      variables[key] = *value;
    }
  }
}

}  // namespace

void parse_dotenv(std::string_view bytes, DotenvFormat format, const std::string& file, const Lookup& outside,
                  std::map<std::string, std::string>& variables, Findings& findings) {
  if (bytes.find('\0') != std::string_view::npos) {
    findings.refuse({file, 0, 0}, "holds a NUL byte: it is no env file");
  } else if (format == DotenvFormat::raw) {
    parse_raw(bytes, file, outside, variables, findings);
  } else {
    DotenvParser(bytes, file, outside, variables, findings).parse();
  }
}

}  // namespace holdall::app
