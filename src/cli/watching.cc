#include "cli/watching.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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

}  // namespace holdall::cli
