#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdall::cli {

enum class Colour { bold, dim, red, green, yellow, blue, magenta, cyan };

/// Where text for people goes. Colour only where a terminal shows it and nobody asked for none (NO_COLOR,
/// --ansi).
class Terminal {
 public:
  Terminal(int fd, std::string_view ansi);

  std::string paint(Colour colour, std::string_view text) const;
  void line(std::string_view text) const;  ///< with a newline, at once

  /// A line that the next one replaces: progress. Nothing where cursors do not move.
  void transient(std::string_view text) const;
  bool interactive() const { return interactive_; }

 private:
  int fd_;
  bool colours_, interactive_;
};

/// Rows under a heading, columns two spaces apart.
class Table {
 public:
  explicit Table(std::vector<std::string> heading);
  void row(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace holdall::cli
