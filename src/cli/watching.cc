#include "cli/watching.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <limits>
#include <utility>

#include "base/error.h"
#include "wire/wire.h"

namespace holdall::cli {

Stack running_stack(const Globals& globals) {
  Stack stack = find_stack(globals);
  if (!stack.server) {
    throw Error(Error::missing,
                "nothing runs here: start it with `holdall up`, or name an environment with --on");
  }
  return stack;
}

Json instances_of(Stack& stack, const std::string& what, const std::vector<std::string>& services) {
  const Json answer = stack.server->get(fmt::format("/v1/apps/{}/{}", wire::percent_encode(stack.app), what));
  Json chosen = Json::array();
  for (const Json& instance : answer.at("instances").items()) {
    bool wanted =
        services.empty() || std::ranges::find(services, instance.at("service").string()) != services.end();
    if (wanted) chosen.add(instance);
  }
  return chosen;
}

std::string instance_name(const Json& instance) {
  return fmt::format("{}.{}", instance.at("service").string(), instance.at("slot").integer());
}

std::string memory_text(std::uint64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  constexpr double kNext = 1024;
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= kNext && unit + 1 < kUnits.size(); ++unit) amount /= kNext;
  return unit == 0 ? fmt::format("{}B", bytes) : fmt::format("{:.4g}{}", amount, kUnits[unit]);
}

WallTime parse_instant(const std::string& text, WallTime now) {
  using std::chrono::seconds;
  constexpr std::array kUnits{std::pair('s', 1), std::pair('m', 60), std::pair('h', 3600),
                              std::pair('d', 86'400)};
  constexpr std::int64_t kMost = 100'000;  // of a unit: 273 years of days
  std::int64_t number = 0;
  const char* last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, number);
  const bool is_number = error == std::errc() && number >= 0;
  if (is_number && end == last && number <= std::numeric_limits<std::int32_t>::max())
    return WallTime(seconds(number));
  if (is_number && end + 1 == last && number <= kMost) {
    for (auto [unit, span] : kUnits) {
      if (unit == *end) return std::max(now - seconds(number * span), WallTime());
    }
  }
  for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* rest = strptime(text.c_str(), form, &parts);
    if (!rest || (*rest != 0 && std::string_view(rest) != "Z")) continue;
    const std::int64_t instant = timegm(&parts);
    if (instant >= 0 && instant <= std::numeric_limits<std::int32_t>::max())
      return WallTime(seconds(instant));
  }
  throw Error(
      Error::invalid,
      fmt::format("'{}' is no instant; write it as 10m, 2h, 2026-11-21 or 2026-11-21T18:01:03Z", text));
}

}  // namespace holdall::cli
