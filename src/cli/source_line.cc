#include "cli/source_line.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <vector>

#include "base/secret_name.h"

namespace holdall::cli {
namespace {

// A line of a program that is wrapped is harder to read than one that is cut.
constexpr std::size_t kMostWidth = 100;
constexpr std::size_t kTab = 4;
constexpr std::string_view kCut = "...", kMask = "***";

struct Range {
  std::uint32_t first, last;
};

// Two columns wide on terminals: the blocks of East Asian scripts and of pictures.
constexpr std::array kWide{Range{0x1100, 0x115F},   Range{0x2E80, 0xA4CF},   Range{0xAC00, 0xD7A3},
                           Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
                           Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF},
                           Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};
// Drawn over the character before.
constexpr std::array kMarks{Range{0x0300, 0x036F}, Range{0x200B, 0x200D}, Range{0x20D0, 0x20FF},
                            Range{0xFE00, 0xFE0F}};
// Control characters, and those that turn the direction of what follows.
constexpr std::array kControls{Range{0x00, 0x1F},     Range{0x7F, 0x9F},     Range{0x200E, 0x200F},
                               Range{0x2028, 0x202E}, Range{0x2066, 0x2069}, Range{0xFEFF, 0xFEFF}};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, std::uint32_t code) {
  return std::ranges::any_of(ranges, [&](Range each) { return each.first <= code && code <= each.last; });
}

struct Character {
  std::string text;  ///< as it is shown
  std::size_t width = 1;
};

/// Takes one character off the front of `rest`: its code point, or nothing of a byte that begins none.
std::uint32_t take_code(std::string_view& rest) {
  constexpr std::uint32_t kBroken = 0;  // shown as a control character is
  const auto first = static_cast<unsigned char>(rest.front());
  const std::size_t size = first < 0x80       ? 1
                           : first >> 5 == 6  ? 2
                           : first >> 4 == 14 ? 3
                           : first >> 3 == 30 ? 4
                                              : 0;
  if (size == 0 || size > rest.size()) {
    rest.remove_prefix(1);
    return kBroken;
  }
  std::uint32_t code = size == 1 ? first : first & (0xFFU >> (size + 1));
  for (std::size_t at = 1; at < size; ++at) {
    const auto next = static_cast<unsigned char>(rest[at]);
    if (next >> 6 != 2) {
      rest.remove_prefix(1);
      return kBroken;
    }
    code = code << 6 | (next & 0x3FU);
  }
  rest.remove_prefix(size);
  return code;
}

Character take_character(std::string_view& rest) {
  const std::string_view before = rest;
  const std::uint32_t code = take_code(rest);
  if (code == '\t') return {std::string(kTab, ' '), kTab};
  if (is_in(kControls, code)) return {"?", 1};
  const std::size_t width = is_in(kWide, code) ? 2 : is_in(kMarks, code) ? 0 : 1;
  return {std::string(before.substr(0, before.size() - rest.size())), width};
}

bool is_name_character(char each) {
  return std::isalnum(static_cast<unsigned char>(each)) || each == '_' || each == '-' || each == '.';
}

/// `${NAME}` and `$NAME`, which say nothing. A default does.
bool is_variable(std::string_view value) {
  while (!value.empty() && std::string_view("\"' \t").find(value.front()) != std::string_view::npos)
    value.remove_prefix(1);
  while (!value.empty() && std::string_view("\"' \t]},").find(value.back()) != std::string_view::npos)
    value.remove_suffix(1);
  if (!value.starts_with('$')) return false;
  value.remove_prefix(1);
  if (value.starts_with('{')) value.remove_prefix(1);
  const std::size_t end =
      std::min(value.size(),
               static_cast<std::size_t>(std::ranges::find_if_not(value, is_name_character) - value.begin()));
  value.remove_prefix(end);
  return value.empty() || value.starts_with("?") || value.starts_with(":?");
}

/// Where the value begins of the first name in the line that sounds secret; npos: there is none.
std::size_t secret_value(std::string_view line) {
  for (std::size_t at = 0; at < line.size();) {
    if (!is_name_character(line[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < line.size() && is_name_character(line[at])) ++at;
    const std::string_view name = line.substr(begin, at - begin);
    std::size_t value = at;
    while (value < line.size() && (line[value] == '"' || line[value] == '\'' || line[value] == ' ')) ++value;
    if (value == line.size() || (line[value] != ':' && line[value] != '=')) continue;
    ++value;
    while (value < line.size() && (line[value] == ' ' || line[value] == '\t')) ++value;
    // Nothing, a text in the lines below, or what `${NAME:?...}` says when there is none.
    const bool empty =
        value == line.size() || std::string_view("#|>?").find(line[value]) != std::string_view::npos;
    // Compose's own keys of these names hold names: `secret`, `key`.
    const bool of_compose = name == "secret" || name == "key";
    if (!empty && !of_compose && names_a_secret(name) && !is_variable(line.substr(value))) return value;
  }
  return std::string_view::npos;
}

/// Where in `line` the password of a URL stands: "://user:" up to '@'.
Range url_password(std::string_view line) {
  for (std::size_t at = line.find("://"); at != std::string_view::npos; at = line.find("://", at + 3)) {
    const std::size_t end = std::min(line.find_first_of(" \t\"'", at), line.size());
    const std::size_t sign = line.substr(0, end).rfind('@');
    const std::size_t colon = line.find(':', at + 3);
    if (sign == std::string_view::npos || colon >= sign || sign < at) continue;
    if (is_variable(line.substr(colon + 1, sign - colon - 1))) continue;
    return {static_cast<std::uint32_t>(colon + 1), static_cast<std::uint32_t>(sign)};
  }
  return {0, 0};
}

/// How many of the characters from `begin` on belong together: a tab, a quoted value, or all up to the colon
/// of a key, a comment, or, within brackets, the next comma.
std::size_t length_of_word(const std::vector<Character>& line, std::size_t begin) {
  auto is = [&](std::size_t at, std::string_view text) { return at < line.size() && line[at].text == text; };
  if (begin >= line.size() || line[begin].width == kTab || is(begin, "[") || is(begin, "{")) return 1;
  for (std::string_view quote : {"\"", "'"}) {
    if (!is(begin, quote)) continue;
    for (std::size_t end = begin + 1; end < line.size(); ++end) {
      if (is(end, quote)) return end + 1 - begin;
    }
    return 1;
  }
  int open = 0;
  for (std::size_t at = 0; at < begin; ++at) {
    if (is(at, "[") || is(at, "{")) ++open;
    if (is(at, "]") || is(at, "}")) --open;
  }
  std::size_t end = begin + 1;
  for (; end < line.size(); ++end) {
    const bool last = end + 1 == line.size() || is(end + 1, " ");
    if ((is(end, ":") && last) || (is(end, "#") && is(end - 1, " "))) break;
    if (open > 0 && (is(end, ",") || is(end, "]") || is(end, "}"))) break;
  }
  while (end > begin + 1 && is(end - 1, " ")) --end;
  return end - begin;
}

}  // namespace

SourceLine source_line(std::string_view line, int column) {
  while (line.ends_with('\r') || line.ends_with('\n')) line.remove_suffix(1);
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (line.starts_with(kMark)) line.remove_prefix(kMark.size());

  Range hidden = url_password(line);
  if (const std::size_t value = secret_value(line); value != std::string_view::npos)
    hidden = {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(line.size())};

  std::vector<Character> characters;
  std::size_t caret = 0;  // which of them
  int seen = 1;
  for (std::string_view rest = line; !rest.empty(); ++seen) {
    const std::size_t at = line.size() - rest.size();
    if (seen == column) caret = characters.size();
    Character next = take_character(rest);
    const bool is_hidden = hidden.first <= at && at < hidden.last;
    if (!is_hidden) {
      characters.push_back(std::move(next));
    } else if (at == hidden.first) {
      for (char each : kMask) characters.push_back({std::string(1, each), 1});
    } else if (seen == column) {
      caret -= std::min(caret, kMask.size());  // anywhere in what is hidden is its beginning
    }
  }
  if (column >= seen) caret = characters.size();

  const std::size_t word = caret + length_of_word(characters, caret);

  // What is cut is cut so that the word stays, with what stands before it.
  std::size_t from = 0, width = 0;
  for (std::size_t at = 0; at < characters.size() && at < caret; ++at) {
    width += characters[at].width;
    while (width > kMostWidth * 2 / 3) width -= characters[from++].width;
  }
  SourceLine shown;
  if (from > 0) shown.text = kCut;
  width = shown.text.size();
  shown.width = 0;
  shown.at = width;
  std::size_t at = from;
  for (; at < characters.size() && width + characters[at].width <= kMostWidth; ++at) {
    if (at == caret) shown.at = width;
    if (caret <= at && at < word) shown.width += characters[at].width;
    shown.text += characters[at].text;
    width += characters[at].width;
  }
  if (caret >= at) shown.at = width;
  if (at < characters.size()) shown.text += kCut;
  shown.width = std::max<std::size_t>(shown.width, 1);
  return shown;
}

std::string without_controls(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.front() == '\n') {
      out += '\n';
      text.remove_prefix(1);
    } else {
      out += take_character(text).text;
    }
  }
  return out;
}

}  // namespace holdall::cli
