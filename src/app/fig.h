#pragma once

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// Whether a document is of Fig's days: no `services:`, every top-level value a mapping with `image` or
/// `build`.
bool is_fig(const Node& root);

/// Makes it a document of today, with a warning that shows how to write it: services under `services:`, a
/// volume's source a path, and the keys that have another name now.
void make_compose_of_fig(Node& root, Findings& findings);

}  // namespace holdall::app
