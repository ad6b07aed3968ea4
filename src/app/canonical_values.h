#pragma once

#include <string>
#include <string_view>

#include "app/findings.h"
#include "app/keys.h"
#include "app/node.h"

namespace holdall::app {

/// Brings a value that is not null to the long form of `form`. False, and a problem naming `path`, when it is
/// none.
bool make_canonical_value(Node& node, Form form, const std::string& path, Findings& findings);

/// Letters, digits, '.', '_' and '-', at least one.
bool is_service_name(std::string_view name);

}  // namespace holdall::app
