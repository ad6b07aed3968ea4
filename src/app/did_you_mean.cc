#include "app/did_you_mean.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/edit_distance.h"

namespace holdall::app {
namespace {

struct Synonym {
  std::string_view written, meant;
};

// What other tools, and Compose's own command line, call a key of a service.
constexpr std::array kSynonyms{
    Synonym{"env", "environment"},
    Synonym{"envs", "environment"},
    Synonym{"vars", "environment"},
    Synonym{"variables", "environment"},
    Synonym{"cmd", "command"},
    Synonym{"args", "build.args"},
    Synonym{"run", "command"},
    Synonym{"memory", "mem_limit"},
    Synonym{"mem", "mem_limit"},
    Synonym{"cpu", "cpus"},
    Synonym{"requires", "depends_on"},
    Synonym{"depends", "depends_on"},
    Synonym{"workdir", "working_dir"},
    Synonym{"cwd", "working_dir"},
    Synonym{"mounts", "volumes"},
    Synonym{"binds", "volumes"},
    Synonym{"health", "healthcheck"},
    Synonym{"net", "network_mode"},
    Synonym{"hosts", "extra_hosts"},
    Synonym{"instances", "deploy.replicas"},
    Synonym{"volume_driver", "volumes.NAME.driver"},
};

constexpr std::array<std::string_view, 4> kTopAlone{"volumes", "networks", "secrets", "configs"};

/// As people write one name in several ways: without case, hyphens and underscores.
std::string plain(std::string_view name) {
  std::string text;
  for (char each : name) {
    if (each != '_' && each != '-') text += static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
  }
  return text;
}

struct Near {
  std::string_view name;
  std::size_t distance = 0;
};

std::optional<Near> near_one(const std::vector<std::string_view>& names, std::string_view word) {
  // A name of a megabyte is no misspelling.
  constexpr std::size_t kLongest = 60;
  if (word.size() > kLongest) return std::nullopt;
  std::optional<Near> best;
  const std::string written = plain(word);
  for (std::string_view name : names) {
    if (name.size() > kLongest) continue;
    const std::size_t distance = edit_distance(written, plain(name));
    if (distance > std::min<std::size_t>(2, name.size() / 3)) continue;
    if (!best || distance < best->distance) best = Near{name, distance};
  }
  return best;
}

/// "deploy.resources" where a section below `in` has the key; the least deep.
std::string section_with(const Schema& in, std::string_view key, int depth) {
  for (const auto& [name, below] : in.members) {
    if (name.starts_with("x-")) continue;
    if (!below->any && below->below(key)) return std::string(name);
  }
  for (const auto& [name, below] : in.members) {
    if (depth == 0 || below->any || name.starts_with("x-")) continue;
    const std::string deeper = section_with(*below, key, depth - 1);
    if (!deeper.empty()) return fmt::format("{}.{}", name, deeper);
  }
  return "";
}

bool is_service(const Node& value) { return value.find("image") || value.find("build"); }

/// The rows of what every service may hold.
const Schema* service_keys() {
  const Schema* services = schema().below("services");
  return services ? services->any : nullptr;
}

std::string meant(std::string_view name) { return fmt::format("did you mean '{}'?", name); }

std::string_view last_of(std::string_view path) { return path.substr(path.rfind('.') + 1); }

}  // namespace

std::string_view nearest(const std::vector<std::string_view>& names, std::string_view word) {
  const std::optional<Near> near = near_one(names, word);
  return near ? near->name : "";
}

std::string did_you_mean(const std::vector<std::string_view>& names, std::string_view word,
                         std::string otherwise) {
  const std::string_view near = nearest(names, word);
  return near.empty() ? std::move(otherwise) : meant(near);
}

std::string remedy_of_unknown(const Schema& in, std::string_view path, const Node::Member& member) {
  const std::string_view key = member.key;
  std::vector<std::string_view> names;
  for (const auto& [name, below] : in.members) names.push_back(name);
  const std::optional<Near> near = near_one(names, key);
  if (near && near->distance <= 1) return meant(near->name);

  const Schema* service = service_keys();
  const bool at_top = !in.shape, in_service = &in == service;
  if (at_top && is_service(member.value)) return "a service stands below 'services:': indent it there";
  if (at_top && service && service->below(key))
    return "it is a key of a service: write it below services.NAME";
  if (in_service) {
    for (const Synonym& synonym : kSynonyms) {
      if (synonym.written == key) return meant(synonym.meant);
    }
    if (std::ranges::count(kTopAlone, last_of(path)))
      return fmt::format("'{}:' stands at the top level: write it without indentation", last_of(path));
  }
  if (in.shape) {
    const std::string section = section_with(in, key, 1);
    if (!section.empty())
      return fmt::format("it belongs to '{}': write {}.{}.{}", last_of(section), path, section, key);
    if (service && !in_service && in.shape->path.starts_with("services.*.") && service->below(key))
      return "it is a key of the service itself: indent it less";
  }
  if (near) return meant(near->name);
  return "remove it; a key of your own begins with x-";
}

}  // namespace holdall::app
