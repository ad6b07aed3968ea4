#include "app/quantity.h"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace holdall::app {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

// Longer names before those they begin with.
constexpr std::array kDurationUnits = {
    Unit{"ns", 1},     Unit{"us", 1e3},        Unit{"µs", 1e3},
    Unit{"ms", 1e6},   Unit{"s", 1e9},         Unit{"m", 60e9},
    Unit{"h", 3600e9}, Unit{"d", 24 * 3600e9}, Unit{"w", 7 * 24 * 3600e9},
};

/// Takes a decimal number without sign or exponent from the front.
std::optional<double> take_number(std::string_view& text) {
  std::size_t n = text.find_first_not_of("0123456789.");
  std::string_view number = text.substr(0, n);
  double value = 0;
  auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  text.remove_prefix(number.size());
  return value;
}

/// 1500 of 1000 to a unit is "1.5".
std::string decimal(std::int64_t value, std::int64_t unit) {
  std::string text = std::to_string(value / unit);
  std::int64_t rest = value % unit;
  if (rest == 0) return text;
  std::string fraction = std::to_string(unit + rest).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text + "." + fraction;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    auto number = take_number(text);
    if (!number) return std::nullopt;
    const Unit* unit = nullptr;
    for (const Unit& candidate : kDurationUnits) {
      if (!unit && text.starts_with(candidate.name)) unit = &candidate;
    }
    if (!unit) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += *number * unit->factor;
  }
  if (total >= 9.2e18) return std::nullopt;
  auto count = static_cast<std::int64_t>(std::llround(total));
  return std::chrono::nanoseconds(negative ? -count : count);
}

std::string print_duration(std::chrono::nanoseconds span) {
  std::int64_t count = span.count();
  if (count < 0) return "-" + print_duration(-span);
  if (count == 0) return "0s";
  if (count < 1'000) return fmt::format("{}ns", count);
  if (count < 1'000'000) return decimal(count, 1'000) + "µs";
  if (count < 1'000'000'000) return decimal(count, 1'000'000) + "ms";
  constexpr std::int64_t second = 1'000'000'000, minute = 60 * second, hour = 60 * minute;
  std::string text;
  if (count >= hour) text += fmt::format("{}h", count / hour);
  if (count >= minute) text += fmt::format("{}m", count % hour / minute);
  return text + decimal(count % minute, second) + "s";
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const std::size_t last = text.find_last_of("0123456789. ");
  if (last == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(0, text[last] == ' ' ? last : last + 1);
  text.remove_prefix(last + 1);
  double number = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || !(number >= 0))
    return std::nullopt;
  std::string unit;
  for (char c : text) unit += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  constexpr std::string_view prefixes = "kmgtp";
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    std::size_t power = prefixes.find(unit[0]);
    std::string rest = unit.substr(1);
    if (power == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib"))
      return std::nullopt;
    factor = std::pow(1024.0, static_cast<double>(power + 1));
  }
  double bytes = number * factor;
  if (bytes >= 9.2e18) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace holdall::app
