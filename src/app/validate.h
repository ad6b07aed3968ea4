#pragma once

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// Holds a merged document against the schema: kinds, names, words, ranges, what must be there, what may not
/// be there twice. What breaks a rule is a problem, with all the others, and is taken out: whatever comes
/// after sees only what the schema allows.
void validate(Node& root, Findings& findings);

}  // namespace holdall::app
