#include "release/fault.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdall::release {
namespace {

using supervise::Health;

bool faulty(const supervise::InstanceStatus& instance) {
  switch (instance.health) {
    case Health::completed:
    case Health::starting:
    case Health::ready: return instance.restarts > 0;
    case Health::unready:
    case Health::waiting:
    case Health::failed:
    case Health::stopping: return true;
  }
  return true;
}

std::string reason_of(const supervise::InstanceStatus& instance) {
  if (!instance.reason.empty()) return instance.reason;
  const std::string end = instance.exit ? text(*instance.exit) : "ended";
  if (instance.restarts > 0) return end + " and was started again";
  if (instance.exit) return end;
  return fmt::format("is {}", name(instance.health));
}

}  // namespace

std::optional<Fault> find_fault(const std::vector<supervise::InstanceStatus>& instances) {
  const auto found = std::ranges::find_if(instances, faulty);
  if (found == instances.end()) return std::nullopt;
  return Fault{fmt::format("{} {}", display_name(*found), reason_of(*found)), *found};
}

bool settled(const std::vector<supervise::InstanceStatus>& instances, int replicas) {
  return std::ssize(instances) == replicas && std::ranges::all_of(instances, [](const auto& instance) {
           return (instance.health == Health::ready && instance.confirmed) ||
                  instance.health == Health::completed;
         });
}

std::string display_name(const supervise::InstanceStatus& instance) {
  return fmt::format("{}.{}", instance.service, instance.slot);
}

}  // namespace holdall::release
