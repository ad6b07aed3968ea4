#pragma once

#include <map>
#include <string>

#include "app/findings.h"
#include "app/node.h"
#include "base/json.h"

namespace holdall::app {

/// The tree as JSON. What JSON cannot carry (infinity, integers beyond 64 bits with sign, bytes that are not
/// UTF-8) is a problem.
Json to_json(const Node& root, Findings& findings);

/// Where each value of the tree was written, by its path: "services.web.ports.0".
std::map<std::string, Where> places_of(const Node& root);

}  // namespace holdall::app
