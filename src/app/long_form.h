#pragma once

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// Brings every value of a validated document to its long form: a port to a mapping, a list of names to a
/// mapping of them. What has no long form is a problem and is taken out; `lenient`, in a document whose
/// variables are not substituted, it stays as it is.
void make_long(Node& root, bool lenient, Findings& findings);

}  // namespace holdall::app
