#pragma once

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// Lays a canonical document over those before it: scalars replace, mappings merge, lists append and lose
/// what they name twice; commands and healthcheck tests replace. `!reset` removes, `!override` replaces
/// whole. Null keeps what was there, a command excepted.
void merge(Node& base, Node over, Findings& findings);

}  // namespace holdall::app
