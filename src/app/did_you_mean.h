#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/node.h"
#include "app/schema.h"

namespace holdall::app {

/// How to mend a key that the mapping `in`, which stands at `path`, does not have: what was meant, or where
/// the key belongs.
std::string remedy_of_unknown(const Schema& in, std::string_view path, const Node::Member& member);

/// Of `names` the one that `word` misspells; empty: it is near to none.
std::string_view nearest(const std::vector<std::string_view>& names, std::string_view word);

/// "did you mean 'x'?" where one of the names is near, else `otherwise`.
std::string did_you_mean(const std::vector<std::string_view>& names, std::string_view word,
                         std::string otherwise);

}  // namespace holdall::app
