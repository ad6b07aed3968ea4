#pragma once

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// The normalised document as Compose prints it: every value of the one form that the schema has for it (As),
/// keys in the schema's order, without what says no more than the default. Extensions stay.
Node as_printed(const Node& root, Findings& findings);

}  // namespace holdall::app
