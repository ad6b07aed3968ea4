#include "app/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace holdall::app {
namespace {

constexpr std::array<std::string_view, 16> kUlimits{
    "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
    "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};

/// A count of bytes as the canonical model has it: decimal digits; -1 for no limit.
std::optional<std::int64_t> bytes(const Reader& place) {
  auto text = place.text();
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < -1) {
    place.fault(fmt::format("'{}' is no number of bytes", *text));
    return std::nullopt;
  }
  return value;
}

/// The same limit may be written in two places; they must not differ.
template <typename Value>
std::optional<Value> agreed(const Reader& one, std::optional<Value> first, const Reader& other,
                            std::optional<Value> second) {
  if (first && second && *first != *second) {
    one.fault(fmt::format("is {}, and {} is {}", *first, other.path(), *second), "remove one of them");
  }
  return first ? first : second;
}

std::uint64_t none_below_1(std::optional<std::int64_t> value) {
  return value && *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
}

std::optional<double> number(const Reader& place) {
  if (!place.present()) return std::nullopt;
  if (!place.json()->is_number() || place.json()->number() < 0 || place.json()->number() > 100'000) {
    place.fault("must be a number of processors, like 0.5");
    return std::nullopt;
  }
  return place.json()->number();
}

void read_memory(const Reader& service, const Reader& resources, Limits& limits) {
  const Reader limit = service["mem_limit"], reserved = service["mem_reservation"],
               total = service["memswap_limit"];
  limits.memory = none_below_1(
      agreed(limit, bytes(limit), resources["limits"]["memory"], bytes(resources["limits"]["memory"])));
  limits.reserved_memory = none_below_1(agreed(reserved, bytes(reserved), resources["reservations"]["memory"],
                                               bytes(resources["reservations"]["memory"])));
  if (limits.memory && limits.reserved_memory > limits.memory) {
    reserved.fault(fmt::format("reserves {} bytes of {}", limits.reserved_memory, limits.memory));
  }
  const std::optional<std::int64_t> both = bytes(total);
  if (!both || *both == 0) return;
  if (*both < 0) {
    limits.swap = kUnlimited;
  } else if (limits.memory == 0) {
    total.fault("counts memory and swap together, and there is no limit of memory", "write mem_limit too");
  } else if (static_cast<std::uint64_t>(*both) < limits.memory) {
    total.fault(fmt::format("counts memory and swap together, and {} is less than the {} of memory alone",
                            *both, limits.memory));
  } else {
    limits.swap = static_cast<std::uint64_t>(*both) - limits.memory;
  }
}

std::uint64_t ulimit_value(std::int64_t value) {
  return value < 0 ? kUnlimited : static_cast<std::uint64_t>(value);
}

void read_ulimits(const Reader& place, Limits& limits) {
  for (const auto& [name, entry] : place.members()) {
    if (std::ranges::find(kUlimits, name) == kUlimits.end()) {
      entry.fault("there is no such limit", fmt::format("it is one of {}", fmt::join(kUlimits, ", ")));
      continue;
    }
    std::optional<std::int64_t> soft, hard;
    if (entry.is_object()) {
      soft = entry["soft"].integer(-1, INT64_MAX);
      hard = entry["hard"].integer(-1, INT64_MAX);
      if (!soft || !hard) entry.fault("needs both soft and hard");
    } else {
      soft = hard = entry.integer(-1, INT64_MAX);
    }
    if (!soft || !hard) continue;
    const Ulimit ulimit{ulimit_value(*soft), ulimit_value(*hard)};
    if (ulimit.soft > ulimit.hard) entry.fault("has a soft limit above the hard one");
    limits.ulimits[name] = ulimit;
  }
}

}  // namespace

void read_limits_of(const Reader& place, Service& service) {
  Limits& limits = service.limits;
  const Reader resources = place["deploy"]["resources"];
  read_memory(place, resources, limits);

  const Reader cpus = place["cpus"], deployed_cpus = resources["limits"]["cpus"];
  const double processors = agreed(cpus, number(cpus), deployed_cpus, number(deployed_cpus)).value_or(0);
  limits.cpu_thousandths = static_cast<std::uint64_t>(std::ceil(processors * 1000));

  const Reader pids = place["pids_limit"], deployed_pids = resources["limits"]["pids"];
  limits.processes = none_below_1(
      agreed(pids, pids.integer(-1, INT32_MAX), deployed_pids, deployed_pids.integer(-1, INT32_MAX)));
  limits.oom_score_adj = static_cast<int>(place["oom_score_adj"].integer(-1000, 1000).value_or(0));
  read_ulimits(place["ulimits"], limits);
}

}  // namespace holdall::app
