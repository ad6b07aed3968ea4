#pragma once

#include <optional>
#include <string>
#include <vector>

#include "supervise/supervise.h"

namespace holdall::release {

/// Why a new instance makes its release fail, and which it is.
struct Fault {
  std::string reason;  ///< "web.1 exited with code 3, 120 ms after start"
  supervise::InstanceStatus instance;
};

/// Any end of a new instance but a one-shot's exit 0, and every state that is worse than starting.
std::optional<Fault> find_fault(const std::vector<supervise::InstanceStatus>& instances);

/// All replicas are there and passed their gate; a one-shot that exited 0 did, too.
bool settled(const std::vector<supervise::InstanceStatus>& instances, int replicas);

/// "web.1".
std::string display_name(const supervise::InstanceStatus& instance);

}  // namespace holdall::release
