#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "app/app.h"
#include "app/discover.h"
#include "app/findings.h"
#include "app/node.h"
#include "app/template.h"

namespace holdall::app {

/// The names of services whose profiles are not active, which are removed.
std::set<std::string> remove_inactive(Node& root, const std::vector<std::string>& profiles);

/// What the services say of each other and of networks, volumes, secrets, configs and models holds together:
/// all that is named exists, no two keys contradict each other, nothing waits for itself. `inactive` names
/// the services that there would be with another profile. Of a tree that has lost what was misshapen it is
/// not said what is missing. Where `scale` and deploy.replicas agree both are written out.
void check_consistency(Node& root, const std::set<std::string>& inactive, Findings& findings);

/// Without networks, volumes, secrets, configs and models that no service names.
void remove_unused(Node& root);

}  // namespace holdall::app
