#include "cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.h"

namespace holdall::cli {
namespace {

constexpr std::string_view kClearLine = "\r\x1b[2K";

std::string_view code(Colour colour) {
  switch (colour) {
    case Colour::bold: return "1";
    case Colour::dim: return "2";
    case Colour::red: return "31";
    case Colour::green: return "32";
    case Colour::yellow: return "33";
    case Colour::blue: return "34";
    case Colour::magenta: return "35";
    case Colour::cyan: return "36";
  }
  return "0";
}

bool is_terminal(int fd) {
  const char* kind = getenv("TERM");
  return isatty(fd) && !(kind && std::string_view(kind) == "dumb");
}

bool no_colour_wanted() {
  const char* value = getenv("NO_COLOR");
  return value && *value;
}

}  // namespace

Terminal::Terminal(int fd, std::string_view ansi)
    : fd_(fd),
      colours_(ansi == "always" || (ansi == "auto" && is_terminal(fd) && !no_colour_wanted())),
      interactive_(ansi != "never" && is_terminal(fd)) {}

std::string Terminal::paint(Colour colour, std::string_view text) const {
  return colours_ ? fmt::format("\x1b[{}m{}\x1b[0m", code(colour), text) : std::string(text);
}

void Terminal::line(std::string_view text) const {
  write_all(fd_, fmt::format("{}{}\n", interactive_ ? kClearLine : "", text));
}

void Terminal::transient(std::string_view text) const {
  if (interactive_) write_all(fd_, fmt::format("{}{}", kClearLine, text));
}

Table::Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }

void Table::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace holdall::cli
