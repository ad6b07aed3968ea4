#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "app/app.h"
#include "app/print_order.h"
#include "app/scalar.h"
#include "app/schema.h"

namespace holdall::app {
namespace {

bool is_break(char c) { return c == '\n' || c == '\r'; }
bool is_blank_or_end(std::string_view text, std::size_t i) {
  return i >= text.size() || text[i] == ' ' || text[i] == '\t' || is_break(text[i]);
}

struct Character {
  char32_t code = 0;
  std::size_t length = 1;
};

/// The UTF-8 character at `i`; a byte that begins none stands for itself.
Character character(std::string_view text, std::size_t i) {
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  std::size_t length = byte(i) >= 0xf0 ? 4 : byte(i) >= 0xe0 ? 3 : byte(i) >= 0xc0 ? 2 : 1;
  if (length == 1 || i + length > text.size()) return {byte(i), 1};
  char32_t code = byte(i) & (0xff >> (length + 1));
  for (std::size_t k = 1; k < length; ++k) code = code << 6 | (byte(i + k) & 0x3f);
  return {code, length};
}

/// As Compose's YAML library has it: nothing beyond the basic plane, no controls, no separators.
bool is_printable(char32_t code) {
  if (code < 0x80) return code >= 0x20 && code < 0x7f;
  return code >= 0xa0 && code != 0x2028 && code != 0x2029 && code != 0xfeff && code < 0xfffe &&
         !(code >= 0xd800 && code < 0xe000);
}

/// What the way a string is written depends on.
struct Shape {
  bool breaks = false, plain = true, single_quoted = true, block = true;
};

Shape analyse(std::string_view text) {
  Shape shape;
  if (text.empty()) return {false, false, true, false};
  bool indicators = text.starts_with("---") || text.starts_with("...");
  bool after_blank = true, previous_space = false, previous_break = false, space_break = false,
       break_space = false;
  bool special = false, tabs = false;
  for (std::size_t i = 0; i < text.size();) {
    char c = text[i];
    bool before_blank = is_blank_or_end(text, i + 1);
    constexpr std::string_view leading = "#,[]{}&*!|>'\"%@`";
    if (i == 0 && leading.find(c) != std::string_view::npos) indicators = true;
    if (i == 0 && (c == '?' || c == ':' || c == '-') && before_blank) indicators = true;
    if (i > 0 && c == ':' && before_blank) indicators = true;
    if (i > 0 && c == '#' && after_blank) indicators = true;

    Character at = character(text, i);
    bool line_break = is_break(c);
    shape.breaks |= line_break;
    tabs |= c == '\t';
    special |= !line_break && c != '\t' && !is_printable(at.code);
    break_space |= c == ' ' && previous_break;
    space_break |= line_break && previous_space;
    previous_space = c == ' ';
    previous_break = line_break;
    after_blank = is_blank_or_end(text, i);
    i += at.length;
  }
  bool edges = text.front() == ' ' || text.back() == ' ' || is_break(text.front()) || is_break(text.back());
  bool unquotable = space_break || tabs || special;
  shape.plain = !indicators && !edges && !break_space && !unquotable && !shape.breaks;
  shape.single_quoted = !break_space && !unquotable;
  shape.block = text.back() != ' ' && !space_break && !special;
  return shape;
}

bool is_old_boolean(std::string_view text) {
  constexpr std::array words = {"y", "Y", "yes", "Yes", "YES", "on",  "On",  "ON",
                                "n", "N", "no",  "No",  "NO",  "off", "Off", "OFF"};
  return std::ranges::find(words, text) != words.end();
}

/// 22:22 and 1:30:00.5, which YAML 1.1 reads in base 60.
bool is_base60(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  std::size_t n = text.find_first_not_of("0123456789_");
  if (n == 0 || text[0] == '_' || n == std::string_view::npos || text[n] != ':') return false;
  text.remove_prefix(n);
  while (text.starts_with(':')) {
    n = std::min(text.find_first_not_of("0123456789", 1), text.size());
    if (n < 2 || n > 3 || (n == 3 && text[1] > '5')) return false;
    text.remove_prefix(n);
  }
  return text.empty() ||
         (text[0] == '.' && text.find_first_not_of("0123456789_", 1) == std::string_view::npos);
}

std::string double_quoted(std::string_view text) {
  static const std::map<char32_t, char> short_escapes = {
      {0, '0'},  {7, 'a'},   {8, 'b'},     {9, 't'},    {10, 'n'},   {11, 'v'},     {12, 'f'},    {13, 'r'},
      {27, 'e'}, {'"', '"'}, {'\\', '\\'}, {0x85, 'N'}, {0xa0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    Character at = character(text, i);
    if (is_printable(at.code) && at.code != '"' && at.code != '\\') {
      out += text.substr(i, at.length);
    } else if (auto escape = short_escapes.find(at.code); escape != short_escapes.end()) {
      out += '\\';
      out += escape->second;
    } else if (at.code <= 0xff) {
      out += fmt::format("\\x{:02X}", static_cast<unsigned>(at.code));
    } else if (at.code <= 0xffff) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(at.code));
    } else {
      out += fmt::format("\\U{:08X}", static_cast<unsigned>(at.code));
    }
    i += at.length;
  }
  return out + '"';
}

std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::string on_one_line(std::string_view text) {
  Shape shape = analyse(text);
  bool string_again =
      resolve_scalar(text).is(Node::Kind::string) && !is_old_boolean(text) && !is_base60(text);
  if (!string_again) return double_quoted(text);
  if (shape.plain) return std::string(text);
  return shape.single_quoted && !shape.breaks ? single_quoted(text) : double_quoted(text);
}

std::string block(std::string_view text, std::size_t indent) {
  std::string out = "|";
  if (text[0] == ' ' || is_break(text[0])) out += '2';
  if (!is_break(text.back())) out += '-';
  if (is_break(text.back()) && (text.size() == 1 || is_break(text[text.size() - 2]))) out += '+';
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    out += '\n';
    if (end > begin) out += std::string(indent, ' ') + std::string(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0; }

/// The number that begins at `i`, of at most 18 digits, and where it ends.
std::pair<std::int64_t, std::size_t> number_at(std::string_view text, std::size_t i, std::int64_t value) {
  for (std::size_t digits = 0; i < text.size() && is_digit(text[i]) && digits < 18; ++i, ++digits)
    value = value * 10 + (text[i] - '0');
  return {value, i};
}

/// As Compose's YAML library sorts names: numbers in them by their value, letters after all else but digits.
bool stands_before(std::string_view a, std::string_view b) {
  bool digits = false;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i]) {
      digits = is_digit(a[i]);
      continue;
    }
    const bool letter = is_letter(a[i]), other = is_letter(b[i]);
    if (letter && other) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
    if (letter || other) return digits ? letter : other;
    // A zero counts only after another digit.
    std::int64_t before = 0;
    if (a[i] == '0' || b[i] == '0') {
      for (std::size_t j = i; j > 0 && is_digit(a[j - 1]); --j) before |= a[j - 1] != '0';
    }
    const auto [first, end] = number_at(a, i, before);
    const auto [second, other_end] = number_at(b, i, before);
    if (first != second) return first < second;
    if (end != other_end) return end < other_end;
    return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
  }
  return a.size() < b.size();
}

class Printer {
 public:
  std::string out;

  /// `at` is nullptr where the schema has no word, and for a model that is printed by name.
  void mapping(const Json& value, const Schema* at, std::size_t indent, bool continues_line) {
    for (const Json::Member* member : in_order(value, at, stands_before)) {
      const Schema* below = below_of(at, member->first);
      if (is_left_out(member->second, below)) continue;
      if (!std::exchange(continues_line, false)) out += std::string(indent, ' ');
      out += on_one_line(member->first) + ":";
      value_of(member->second, below, indent + 2, false);
    }
  }

 private:
  /// What only the JSON shows: a command that is null, and sections that are always there and say nothing.
  static bool is_left_out(const Json& member, const Schema* at) {
    if (!at || !at->shape) return false;
    if (at->shape->as == As::words) return member.is_null();
    return at->shape->as == As::section_always && says_nothing(member, at);
  }

  static bool says_nothing(const Json& section, const Schema* at) {
    return section.is_object() && std::ranges::all_of(section.members(), [&](const Json::Member& member) {
             return is_left_out(member.second, below_of(at, member.first));
           });
  }

  /// A value after "name:" or "-".
  void value_of(const Json& value, const Schema* at, std::size_t indent, bool in_list) {
    if (at && at->shape && at->shape->as == As::ulimit && value.is_object()) {
      for (std::string_view side : {"soft", "hard"}) {
        out += fmt::format("{}{}: {}",
                           side == "soft" && in_list ? std::string(" ") : "\n" + std::string(indent, ' '),
                           side, value.integer_or(side, 0));
      }
      out += '\n';
    } else if (value.is_object() && !value.members().empty()) {
      out += in_list ? " " : "\n";
      mapping(value, at, indent, in_list);
    } else if (value.is_array() && !value.items().empty()) {
      if (!in_list) out += '\n';
      bool continues_line = in_list;
      for (const Json& item : value.items()) {
        out += std::exchange(continues_line, false) ? " -" : std::string(indent, ' ') + "-";
        value_of(item, at ? at->any : nullptr, indent + 2, true);
      }
    } else {
      out += " " + scalar(value, indent) + "\n";
    }
  }

  static std::string scalar(const Json& value, std::size_t indent) {
    if (value.is_string()) {
      const std::string& text = value.string();
      bool as_block =
          text.find('\n') != std::string::npos && analyse(text).block && text.find('\r') == std::string::npos;
      return as_block ? block(text, indent) : on_one_line(text);
    }
    if (value.is_number() && !value.is_int()) return print_real(value.number());
    if (value.is_object()) return "{}";
    if (value.is_array()) return "[]";
    return value.print();
  }
};

}  // namespace

std::string to_yaml(const Json& model, bool raw) {
  Printer printer;
  printer.mapping(model, raw ? nullptr : &schema(), 0, false);
  return printer.out;
}

}  // namespace holdall::app
