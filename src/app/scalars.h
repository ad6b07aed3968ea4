#pragma once

#include <string>

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

// Each makes the number or the flag of a text that stands for one, and leaves it where it is one already.
// What is none is a problem: then the node becomes 0, or false, and false is returned.

/// true, false, and with a warning y, yes, on, n, no and off, in any case.
bool make_flag(Node& node, const std::string& path, Findings& findings);
bool make_whole(Node& node, const std::string& path, Findings& findings);
bool make_real(Node& node, const std::string& path, Findings& findings);

/// Makes texts the numbers and flags that the schema says they are, all over the document: variables have no
/// other way to be one.
void make_typed(Node& root, Findings& findings);

/// "services.web", or the key alone where there is nothing above it.
std::string join(const std::string& path, std::string_view key);

}  // namespace holdall::app
