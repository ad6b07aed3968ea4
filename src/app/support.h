#pragma once

#include <set>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/node.h"

namespace holdall::app {

/// What the table of keys.h says of every key of a merged document, those of `inactive` services and below a
/// refused one excepted.
std::vector<KeyUse> key_uses(const Node& root, const std::set<std::string>& inactive);

}  // namespace holdall::app
