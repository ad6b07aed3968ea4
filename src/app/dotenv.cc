#include "app/dotenv.h"

#include <fmt/format.h>

namespace holdall::app {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

/// How many bytes of a blank that is no ASCII `text` begins with; 0: none. U+0085 and U+00A0, and `wide`:
/// those of all the scripts, which stand around values and not inside a line.
std::size_t far_blank(std::string_view text, bool wide) {
  for (std::string_view one : {"\xc2\x85", "\xc2\xa0"}) {
    if (text.starts_with(one)) return one.size();
  }
  if (!wide || text.size() < 3) return 0;
  const std::string_view three = text.substr(0, 3);
  for (std::string_view one :
       {"\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"}) {
    if (three == one) return 3;
  }
  return three >= "\xe2\x80\x80" && three <= "\xe2\x80\x8a" ? 3 : 0;
}

/// Of a name: letters and digits of any script, some signs, and blanks.
bool key_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-' || c == '[' || c == ']' || blank(c) || static_cast<unsigned char>(c) >= 0x80;
}

/// No letter of any script: a byte order mark, or punctuation.
bool has_sign(std::string_view text) {
  if (text.find("\xef\xbb\xbf") != std::string_view::npos) return true;
  for (std::size_t i = 0; i + 2 < text.size(); ++i) {
    if (text[i] == '\xe2' && (text[i + 1] == '\x80' || (text[i + 1] == '\x81' && text[i + 2] < '\xb0')))
      return true;
  }
  return false;
}

std::string_view trim_end(std::string_view text) {
  while (!text.empty()) {
    const std::size_t two = text.size() >= 2 ? far_blank(text.substr(text.size() - 2), true) : 0;
    const std::size_t three = text.size() >= 3 ? far_blank(text.substr(text.size() - 3), true) : 0;
    const std::size_t bytes = blank(text.back()) ? 1 : two == 2 ? 2 : three == 3 ? 3 : 0;
    if (bytes == 0) break;
    text.remove_suffix(bytes);
  }
  return text;
}

bool octal(char c) { return c >= '0' && c <= '7'; }

/// A code point under 256, in UTF-8.
void append_utf8(std::string& out, unsigned value) {
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else {
    out += static_cast<char>(0xc0 | (value >> 6));
    out += static_cast<char>(0x80 | (value & 0x3f));
  }
}

/// The escapes of a double-quoted value. `\$` becomes `$$`, which the expansion after it takes for a dollar
/// sign; what is no escape stays as it is, backslash included.
std::string unescape(std::string_view text) {
  constexpr std::string_view letters = "abfnrtv\"\\", meanings = "\a\b\f\n\r\t\v\"\\";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    std::size_t letter = next == '\0' ? std::string_view::npos : letters.find(next);
    bool three_octal = next == '0' && i + 4 < text.size() && text[i + 2] < '4' && octal(text[i + 2]) &&
                       octal(text[i + 3]) && octal(text[i + 4]);
    if (letter != std::string_view::npos) {
      out += meanings[letter];
      ++i;
    } else if (next == '$') {
      out += "$$";
      ++i;
    } else if (three_octal) {
      append_utf8(out, static_cast<unsigned>((text[i + 2] - '0') * 64 + (text[i + 3] - '0') * 8 +
                                             (text[i + 4] - '0')));
      i += 4;
    } else if (next == '0') {
      out += '\\';  // the reference forgets the digit of an octal escape that is none
      ++i;
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
      } else if (const std::size_t bytes = far_blank(rest_, true)) {
        advance(bytes);
      } else {
        return true;
      }
    }
    return false;
  }

  void skip_blanks() {
    while (!rest_.empty()) {
      const std::size_t bytes = blank(rest_[0]) ? 1 : far_blank(rest_, false);
      if (bytes == 0) return;
      advance(bytes);
    }
  }

  /// One `KEY=value` or `KEY`. False: it was refused and what is left of its line means nothing.
  bool statement() {
    if (rest_.starts_with("export") && rest_.size() > 6 && (blank(rest_[6]) || rest_[6] == '\n') &&
        rest_[6] != '\v') {
      advance(6);
      skip_blanks();
      if (rest_.starts_with('\n')) return true;
    }
    std::size_t end = rest_.find_first_of("=:\n");
    bool inherited = end == std::string_view::npos || rest_[end] == '\n';
    std::string_view written = rest_.substr(0, end);
    for (char c : written) {
      if (key_character(c)) continue;
      return refuse(line_, fmt::format("'{}': a name cannot hold '{}'", trim_end(written), c),
                    "names are letters, digits, '_', '.', '-', '[' and ']'");
    }
    if (has_sign(written))
      return refuse(line_, fmt::format("'{}': a name cannot hold a sign that is no letter", written),
                    "remove it");
    std::string_view key = trim_end(written);
    if (key.find(' ') != std::string_view::npos)
      return refuse(line_, fmt::format("'{}': a name cannot hold a blank", key), "write KEY=value");
    if (key.empty()) return refuse(line_, "a value without a name", "write KEY=value");

    if (inherited) {
      if (auto value = outside_(std::string(key))) variables_[std::string(key)] = *value;
      skip_line();
      return true;
    }
    std::string name(key);
    advance(end + 1);
    skip_blanks();
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
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
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
