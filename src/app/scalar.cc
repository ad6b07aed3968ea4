#include "app/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

namespace holdall::app {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

Node make(Node::Kind kind, std::string text) {
  Node node;
  node.kind = kind;
  node.text = std::move(text);
  return node;
}

Node make_real(double value) {
  Node node = make(Node::Kind::real, print_real(value));
  node.real = value;
  return node;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

std::optional<Node> resolve_word(std::string_view text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return Node();
  if (is_one_of(text, {"true", "True", "TRUE"})) return Node::of(true, {});
  if (is_one_of(text, {"false", "False", "FALSE"})) return Node::of(false, {});
  if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return make_real(std::numeric_limits<double>::quiet_NaN());
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (is_one_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) return make_real(infinity);
  if (is_one_of(text, {"-.inf", "-.Inf", "-.INF"})) return make_real(-infinity);
  return std::nullopt;
}

/// Reads one or more digits.
bool take_digits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && digit(text[n])) ++n;
  text.remove_prefix(n);
  return n > 0;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// Reads a number of one digit or two that is not under `least` or over `most`.
std::optional<int> take_number(std::string_view& text, int least, int most) {
  int value = 0;
  std::size_t n = 0;
  for (; n < text.size() && n < 2 && digit(text[n]); ++n) value = value * 10 + (text[n] - '0');
  text.remove_prefix(n);
  return n > 0 && value >= least && value <= most ? std::optional(value) : std::nullopt;
}

/// +01:00
bool is_zone(std::string_view text) {
  if (text == "Z") return true;
  const bool digits =
      text.size() == 6 && digit(text[1]) && digit(text[2]) && digit(text[4]) && digit(text[5]);
  return digits && (text[0] == '+' || text[0] == '-') && text[3] == ':' && text.substr(1, 2) <= "24" &&
         text[4] < '6';
}

/// 2024-1-2; or with a time and a zone after `T` or `t`, or with a time alone after a blank.
bool is_timestamp(std::string_view text) {
  if (text.size() < 6 || !std::all_of(text.begin(), text.begin() + 4, digit)) return false;
  int year = 0;
  std::from_chars(text.data(), text.data() + 4, year);
  text.remove_prefix(4);
  if (!take(text, '-')) return false;
  const auto month = take_number(text, 1, 12);
  if (!month || !take(text, '-')) return false;
  const auto day = take_number(text, 1, 31);
  if (!day) return false;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return false;
  if (text.empty()) return true;
  const bool zoned = take(text, 'T') || take(text, 't');
  if (!zoned && !take(text, ' ')) return false;
  if (!take_number(text, 0, 23) || !take(text, ':') || !take_number(text, 0, 59) || !take(text, ':') ||
      !take_number(text, 0, 59))
    return false;
  if ((take(text, '.') || take(text, ',')) && !take_digits(text)) return false;
  return zoned ? is_zone(text) : text.empty();
}

std::optional<Node> resolve_integer(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::uint64_t magnitude = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;

  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (magnitude <= most) {
    auto value = static_cast<std::int64_t>(magnitude);
    return Node::of(negative ? -value : value, {});
  }
  if (negative && magnitude == most + 1) return Node::of(std::numeric_limits<std::int64_t>::min(), {});
  if (negative) return std::nullopt;
  Node node = make(Node::Kind::integer, std::to_string(magnitude));
  node.integer = std::numeric_limits<std::int64_t>::max();  // out of every range that is checked
  node.real = static_cast<double>(magnitude);
  return node;
}

/// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool is_real(std::string_view text) {
  if (!take(text, '-')) take(text, '+');
  bool whole = take_digits(text);
  bool fraction = take(text, '.') && take_digits(text);
  if (!whole && !fraction) return false;
  if (text.empty()) return true;
  if (!take(text, 'e') && !take(text, 'E')) return false;
  if (!take(text, '-')) take(text, '+');
  return take_digits(text) && text.empty();
}

}  // namespace

Node resolve_scalar(std::string_view text) {
  if (auto word = resolve_word(text)) return *word;
  bool numeric = digit(text[0]) || text[0] == '+' || text[0] == '-' || text[0] == '.';
  if (!numeric) return make(Node::Kind::string, std::string(text));
  if (is_timestamp(text)) return make(Node::Kind::timestamp, std::string(text));

  std::string plain(text);
  std::erase(plain, '_');
  if (auto integer = resolve_integer(plain)) return *integer;
  if (is_real(plain) && !text.starts_with("._")) {
    double value = 0;
    const char* begin = plain.data() + (plain.starts_with('+') ? 1 : 0);
    auto [end, error] = std::from_chars(begin, plain.data() + plain.size(), value);
    if (error == std::errc()) return make_real(value);
  }
  return make(Node::Kind::string, std::string(text));
}

std::string print_real(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  std::array<char, 64> buffer;
  auto scientific =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  std::string text(buffer.data(), scientific.ptr);
  int exponent = std::stoi(text.substr(text.find('e') + 1));
  // The bounds of Go's 'g' with the fewest digits, which is how Compose prints a float.
  if (exponent < -4 || exponent >= 6) return text;
  auto fixed = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  return std::string(buffer.data(), fixed.ptr);
}

}  // namespace holdall::app
