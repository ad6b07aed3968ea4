#include "app/yaml_fault.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace holdall::app {
namespace {

/// The text by lines, counted from 1 as places are. Columns are counted in characters, and a line in bytes:
/// they agree where what matters here stands, in what is before the first value.
class Lines {
 public:
  explicit Lines(std::string_view text) {
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      lines_.push_back(line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::string_view operator[](int number) const {
    return number < 1 || number > static_cast<int>(lines_.size()) ? "" : lines_[number - 1];
  }

  /// The last line before `number` that says anything; 0: there is none.
  int before(int number) const {
    for (--number; number > 0; --number) {
      const std::string_view line = (*this)[number];
      const std::size_t first = line.find_first_not_of(" \t");
      if (first != std::string_view::npos && line[first] != '#') return number;
    }
    return 0;
  }

  int last() const { return static_cast<int>(lines_.size()); }

 private:
  std::vector<std::string_view> lines_;
};

std::size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }

char character_at(const Lines& lines, const Where& where) {
  const std::string_view line = lines[where.line];
  const auto at = static_cast<std::size_t>(where.column - 1);
  return at < line.size() ? line[at] : '\0';
}

/// Where the first ": " of the line is, or ':' at its end; npos: there is none.
std::size_t colon_of(std::string_view line) {
  for (std::size_t at = line.find(':'); at != std::string_view::npos; at = line.find(':', at + 1)) {
    if (at + 1 == line.size() || line[at + 1] == ' ' || line[at + 1] == '\t') return at;
  }
  return std::string_view::npos;
}

/// The key that the line begins with, without "- " and quotes; empty: none.
std::string_view key_of(std::string_view line) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  std::string_view key = line.substr(0, colon);
  while (!key.empty() && std::string_view(" -\"'").find(key.front()) != std::string_view::npos)
    key.remove_prefix(1);
  while (!key.empty() && std::string_view(" \"'").find(key.back()) != std::string_view::npos)
    key.remove_suffix(1);
  // A name of a megabyte helps nobody.
  constexpr std::size_t kLongest = 60;
  return colon == line.size() || key.size() > kLongest ? "" : key;
}

std::string spaces(std::size_t count) { return count == 1 ? "1 space" : fmt::format("{} spaces", count); }

std::optional<Problem> tab(const YamlFault& fault, const Lines& lines) {
  for (int number : {fault.at.line, fault.at.line - 1}) {
    const std::string_view line = lines[number];
    const std::size_t first = line.find_first_not_of(' ');
    if (first == std::string_view::npos || line[first] != '\t') continue;
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    return Problem{
        {fault.at.file, number, static_cast<int>(first) + 1}, "a tab cannot indent YAML", "use spaces"};
  }
  return std::nullopt;
}

/// A quote that opens in a line above and closes in this one, or never.
std::optional<Problem> quote(const YamlFault& fault, const Lines& lines) {
  for (int number = fault.at.line; number >= std::max(fault.begun.line, 1); --number) {
    const std::string_view line = lines[number];
    for (char mark : {'"', '\''}) {
      const std::size_t first = line.find(mark);
      // Where a value begins, else it is an apostrophe.
      if (first == std::string_view::npos || first == 0 ||
          std::string_view(" [{,").find(line[first - 1]) == std::string_view::npos)
        continue;
      if (std::ranges::count(line, mark) % 2 == 0) continue;
      if (number == fault.at.line && static_cast<int>(first) + 1 >= fault.at.column) continue;
      return Problem{{fault.at.file, number, static_cast<int>(first) + 1},
                     "the quote that opens here is not closed in this line",
                     fmt::format("close it with {}, and check the lines below", mark)};
    }
  }
  return std::nullopt;
}

/// ": " where the value has begun already, or where no key may stand.
Problem second_colon(const YamlFault& fault, const Lines& lines) {
  const Where& at = fault.at;
  const std::string_view line = lines[at.line];
  const std::size_t colon = colon_of(line);
  if (colon != std::string_view::npos && static_cast<int>(colon) + 1 < at.column) {
    const std::string_view key = key_of(line);
    return {at, "': ' in the middle of a value would begin another key",
            key.empty() ? "put the whole value in quotes"
                        : fmt::format("put the whole value in quotes: {}: \"...\"", key)};
  }
  const int above = lines.before(at.line);
  const std::string_view upper = lines[above];
  const std::string_view key = key_of(line);
  const Where begin{at.file, at.line, static_cast<int>(indent_of(line)) + 1};
  if (above && colon_of(upper) == std::string_view::npos) {
    if (const std::size_t glued = upper.find(':');
        glued != std::string_view::npos && !key_of(upper).empty()) {
      return {{at.file, above, static_cast<int>(glued) + 1},
              fmt::format("there is no space after '{}:'", key_of(upper)),
              fmt::format("write '{}: ...'", key_of(upper))};
    }
    return {begin, fmt::format("'{}' cannot stand here: the line above it has a value that goes on", key),
            "write the line above as 'key: value', or indent this one as what it belongs to"};
  }
  if (above && indent_of(line) > indent_of(upper)) {
    return {begin,
            fmt::format("'{}' is indented deeper than '{}' above it, which has a value already", key,
                        key_of(upper)),
            fmt::format("indent it by {}, as the line above", spaces(indent_of(upper)))};
  }
  return {begin, fmt::format("'{}' cannot begin a mapping here", key),
          "check the indentation of this line and of the one above"};
}

/// A line that fits into no mapping or list that is open.
Problem misplaced(const YamlFault& fault, const Lines& lines) {
  const std::string_view line = lines[fault.at.line];
  const std::size_t indent = indent_of(line);
  const bool item = line.substr(indent).starts_with("- ") || line.substr(indent) == "-";
  const Where begin{fault.at.file, fault.at.line, static_cast<int>(indent) + 1};
  const bool in_list = fault.problem.find("'-'") != std::string::npos;
  if (in_list && fault.begun.column == begin.column && !item) {
    return {begin,
            fmt::format("the list above it (line {}) goes on with '- ', and this line does not begin so",
                        fault.begun.line),
            "begin it with '- ', or indent it as what it belongs to; a mapping has no '- ' at all"};
  }
  if (item && fault.begun.column == begin.column) {
    return {begin, "a list item stands among the keys of a mapping",
            "indent it below the key it belongs to, or write 'key: value'"};
  }
  std::vector<std::string> fits;
  std::size_t below = std::string_view::npos;  // what is indented as much as a line in between is over
  for (int above = lines.before(fault.at.line); above; above = lines.before(above)) {
    const std::size_t other = indent_of(lines[above]);
    if (other >= below) continue;
    below = other;
    const std::string_view key = key_of(lines[above]);
    if (!key.empty() && fits.size() < 3)
      fits.push_back(fmt::format("'{}' (line {}) by {}", key, above, other));
    if (other == indent)
      return {begin, "what stands before this line is not finished",
              "check quotes, brackets and indentation above it"};
  }
  return {
      begin,
      fmt::format("this line is indented by {}, as no line above it that it could belong to", spaces(indent)),
      fits.empty() ? "indent it as the keys it belongs to"
                   : fmt::format("indent it as one of these: {}", fmt::join(fits, ", "))};
}

Problem forbidden_start(const YamlFault& fault, const Lines& lines) {
  const char first = character_at(lines, fault.at);
  const std::string_view key = key_of(lines[fault.at.line]);
  return {fault.at, fmt::format("a value that is not quoted cannot begin with '{}'", first),
          key.empty() ? "quote it: \"...\"" : fmt::format("quote it: {}: \"...\"", key)};
}

bool says(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

}  // namespace

Problem explain(const YamlFault& fault, std::string_view text) {
  const Lines lines(text);
  const Where& begun = fault.begun;
  const char opened = begun.line ? character_at(lines, begun) : '\0';
  const bool token = says(fault.problem, "cannot start any token");
  if (says(fault.problem, "tab character") || token || says(fault.problem, "did not find expected")) {
    if (auto found = tab(fault, lines)) return *found;
  }
  if (token) return forbidden_start(fault, lines);
  if (says(fault.context, "scanning a quoted scalar") && says(fault.problem, "end of stream"))
    return {begun, "the quote that opens here is never closed", fmt::format("close it with {}", opened)};
  if (says(fault.context, "scanning a quoted scalar") && says(fault.problem, "document indicator"))
    return {begun, "the quote that opens here is not closed", fmt::format("close it with {}", opened)};
  if (says(fault.problem, "unknown escape character")) {
    return {fault.at, "in double quotes a backslash begins an escape, and this is none",
            "put the value in single quotes, or write the backslash twice"};
  }
  if (says(fault.context, "flow mapping") || says(fault.context, "flow sequence")) {
    const char closing = says(fault.context, "mapping") ? '}' : ']';
    return {begun,
            fmt::format("the '{}' that opens here is not closed before line {}", opened, fault.at.line),
            fmt::format("close it with '{}', or put a comma between its values", closing)};
  }
  if (says(fault.context, "scanning an alias") || says(fault.context, "scanning an anchor")) {
    return {begun,
            fmt::format("'{}' is YAML's sign for {}, and no name follows it", opened,
                        opened == '*' ? "an alias" : "an anchor"),
            fmt::format("for the character itself quote it: \"{}\"", opened)};
  }
  if (says(fault.problem, "mapping values are not allowed")) {
    if (auto found = quote(fault, lines)) return *found;
    return second_colon(fault, lines);
  }
  if (says(fault.problem, "could not find expected ':'"))
    return {begun, "this line has no ':' after its key",
            "write 'key: value', or 'key:' with what belongs to it below"};
  if (says(fault.problem, "block sequence entries are not allowed")) {
    return {fault.at, "a list cannot begin in the line of its key",
            "put each item on a line of its own below the key, or write [a, b]"};
  }
  if (says(fault.problem, "did not find expected")) {
    if (auto found = quote(fault, lines)) return *found;
    return misplaced(fault, lines);
  }
  if (says(fault.problem, "control characters"))
    return {fault.at, "a control character stands here", "remove it"};
  if (says(fault.problem, "UTF-8")) return {fault.at, "the file is not UTF-8", "save it as UTF-8"};
  const std::string_view blank = fault.context.empty() ? "" : " ";
  return {fault.at, fmt::format("not YAML: {}{}{}", fault.context, blank, fault.problem), ""};
}

}  // namespace holdall::app
