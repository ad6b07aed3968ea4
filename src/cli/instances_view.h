#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "wire/wire.h"

namespace holdall::cli {

std::vector<wire::Instance> parse_instances(const Json& status);

/// "Up 3 minutes (ready)", "Restarting", "Exited (3)": as Compose words it, with why where it is not ready.
std::string status_text(const wire::Instance& instance);

/// The rows of `ps` under their heading. `app` goes before each name, as in Compose; empty: not.
std::string instances_table(const std::vector<wire::Instance>& instances, const std::string& app);

/// One instance with Compose's names for what it has.
Json compose_instance(const wire::Instance& instance, const std::string& app);

}  // namespace holdall::cli
