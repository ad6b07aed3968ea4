#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/findings.h"
#include "app/node.h"
#include "base/json.h"

namespace holdall::app {

/// The documents of a YAML stream, with anchors, aliases and `<<` resolved and every scalar of its YAML type.
/// Duplicate and non-string keys, unknown and circular aliases, more than 100 levels and more than 100,000
/// nodes are refused: then the fault is in `findings`, and what could not be read is left out. `file` is the
/// name that places bear.
std::vector<Node> parse_yaml(std::string_view bytes, const std::string& file, Findings& findings);

}  // namespace holdall::app
