#pragma once

#include <map>
#include <set>
#include <string>

#include "app/app.h"
#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// Of a document in long form: fills in what the specification says of a key that is not written.
void set_defaults(Node& root);

/// The rules between the keys of one resource: what excludes what.
void check_rules(const Node& root, Findings& findings);

/// Gives variables of services that are listed without a value the one that the project has, or the secret's
/// of that name. Those that a mapping has without a value wait for the project that includes this one.
void resolve_names(Node& root, const std::map<std::string, std::string>& variables,
                   const std::set<std::string>& secrets, VariableUse& use);

}  // namespace holdall::app
