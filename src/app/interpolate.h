#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/findings.h"
#include "app/node.h"
#include "app/template.h"

namespace holdall::app {

/// Where each variable that has neither value nor default was used.
using Unset = std::map<std::string, std::vector<Where>>;

/// Substitutes variables in every string value of the tree, keys excepted. What cannot be substituted is a
/// problem that names the place; what is not set becomes nothing and is noted.
///
/// The values of a service's `environment` become templates (base/secret_template.h), in which the names of
/// `secrets` stay; every value of `environment` is one from here on. A secret anywhere else is a problem.
/// What is written with variables is noted in `use`: templates of environment, and what is used elsewhere.
void interpolate(Node& root, const Lookup& lookup, const std::set<std::string>& secrets, Unset& unset,
                 VariableUse& use, Findings& findings);

}  // namespace holdall::app
