#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/findings.h"
#include "app/node.h"
#include "app/template.h"

namespace holdall::app {

/// Where each variable that has neither value nor default was used.
using Unset = std::map<std::string, std::vector<Where>>;

/// Substitutes variables in every string value of the tree, keys excepted. What cannot be substituted is a
/// problem that names the place; what is not set becomes nothing and is noted.
void interpolate(Node& root, const Lookup& lookup, Unset& unset, Findings& findings);

}  // namespace holdall::app
