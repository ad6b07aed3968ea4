#pragma once

#include <set>
#include <string>

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// Asks the table of keys.h about every key of a merged document, those of `inactive` services excepted: what
/// is refused is a problem with its place, and what is without effect a warning.
void check_support(const Node& root, const std::set<std::string>& inactive, Findings& findings);

}  // namespace holdall::app
