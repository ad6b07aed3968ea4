#include "engine/limits.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"

namespace holdall::engine {
namespace {

struct Resource {
  std::string_view name;
  __rlimit_resource number;
};

constexpr std::array kResources{
    Resource{"as", RLIMIT_AS},
    Resource{"core", RLIMIT_CORE},
    Resource{"cpu", RLIMIT_CPU},
    Resource{"data", RLIMIT_DATA},
    Resource{"fsize", RLIMIT_FSIZE},
    Resource{"locks", RLIMIT_LOCKS},
    Resource{"memlock", RLIMIT_MEMLOCK},
    Resource{"msgqueue", RLIMIT_MSGQUEUE},
    Resource{"nice", RLIMIT_NICE},
    Resource{"nofile", RLIMIT_NOFILE},
    Resource{"nproc", RLIMIT_NPROC},
    Resource{"rss", RLIMIT_RSS},
    Resource{"rtprio", RLIMIT_RTPRIO},
    Resource{"rttime", RLIMIT_RTTIME},
    Resource{"sigpending", RLIMIT_SIGPENDING},
    Resource{"stack", RLIMIT_STACK},
};

__rlimit_resource resource(const std::string& name) {
  for (const Resource& each : kResources) {
    if (each.name == name) return each.number;
  }
  throw Error(Error::invalid, fmt::format("there is no limit '{}'", name));
}

/// Whether this process may raise limits, and lower the score by which the kernel chooses whom to kill.
bool may_raise() {
  constexpr std::string_view kField = "CapEff:\t";
  const std::string status = read_file("/proc/self/status");
  const std::size_t at = status.find(kField);
  if (at == std::string::npos) return false;
  const std::uint64_t effective = std::strtoull(status.c_str() + at + kField.size(), nullptr, 16);
  return (effective >> CAP_SYS_RESOURCE & 1) != 0;
}

/// The kernel lets nobody have more open files than this.
std::uint64_t most_of(__rlimit_resource which) {
  if (which != RLIMIT_NOFILE) return kUnlimited;
  return std::strtoull(read_file_if_exists("/proc/sys/fs/nr_open").value_or("0").c_str(), nullptr, 10);
}

std::string shown(std::uint64_t value) { return value == kUnlimited ? "unlimited" : std::to_string(value); }

}  // namespace

void add_limits(const Limits& limits, std::size_t groups, Strings& strings) {
  strings.add(std::to_string(limits.oom_score_adj));
  strings.add(groups);
  std::vector<std::string> ulimits;
  for (const Ulimit& each : limits.ulimits) {
    ulimits.push_back(std::to_string(resource(each.name)));
    ulimits.push_back(std::to_string(each.soft));
    ulimits.push_back(std::to_string(each.hard));
  }
  strings.add_all(ulimits);
}

std::vector<std::string> unenforced(const Limits& limits, const ControlGroups& groups) {
  std::vector<std::string> all;
  for (const std::string& limit : groups.unenforced(limits)) {
    all.push_back(fmt::format("{} is not enforced: {} may write to no control group that has it", limit,
                              geteuid() == 0 ? "root" : fmt::format("user {}", geteuid())));
  }
  const bool raises = may_raise();
  for (const Ulimit& each : limits.ulimits) {
    const __rlimit_resource which = resource(each.name);
    rlimit own{};
    getrlimit(which, &own);
    const std::uint64_t most = raises ? most_of(which) : std::uint64_t{own.rlim_max};
    if (each.hard <= most) continue;
    all.push_back(fmt::format("ulimit {} of {} is {} here, which is the most that this server may give",
                              each.name, shown(each.hard), shown(most)));
  }
  // Who is not dumpable, as the process that becomes the program, may not write to its own score either.
  if (limits.oom_score_adj != 0 && (geteuid() != 0 || (limits.oom_score_adj < 0 && !raises))) {
    all.push_back(fmt::format("oom_score_adj {} is not set: only root may set it", limits.oom_score_adj));
  }
  return all;
}

Json to_json(const Limits& limits) {
  Json ulimits = Json::array();
  for (const Ulimit& each : limits.ulimits)
    ulimits.add(Json::object({{"name", each.name},
                              {"soft", static_cast<std::int64_t>(each.soft)},
                              {"hard", static_cast<std::int64_t>(each.hard)}}));
  Json json = Json::object({{"memory", static_cast<std::int64_t>(limits.memory)},
                            {"reserved_memory", static_cast<std::int64_t>(limits.reserved_memory)},
                            {"cpu_thousandths", static_cast<std::int64_t>(limits.cpu_thousandths)},
                            {"processes", static_cast<std::int64_t>(limits.processes)},
                            {"ulimits", std::move(ulimits)},
                            {"oom_score_adj", limits.oom_score_adj}});
  if (limits.swap) json["swap"] = static_cast<std::int64_t>(*limits.swap);
  return json;
}

// `kUnlimited` is -1 there.
Limits parse_limits(const Json& json) {
  const auto number = [](const Json& from, std::string_view name) {
    return static_cast<std::uint64_t>(from.at(name).integer());
  };
  Limits limits;
  limits.memory = number(json, "memory");
  if (json.find("swap")) limits.swap = number(json, "swap");
  limits.reserved_memory = number(json, "reserved_memory");
  limits.cpu_thousandths = number(json, "cpu_thousandths");
  limits.processes = number(json, "processes");
  for (const Json& each : json.at("ulimits").items())
    limits.ulimits.push_back({each.at("name").string(), number(each, "soft"), number(each, "hard")});
  limits.oom_score_adj = static_cast<int>(json.at("oom_score_adj").integer());
  return limits;
}

}  // namespace holdall::engine
