#pragma once

#include <string_view>
#include <vector>

#include "app/schema.h"
#include "base/json.h"

namespace holdall::app {

/// Whether the first of two names stands before the other.
using Before = bool (*)(std::string_view, std::string_view);

/// The members of a mapping of a model as Compose prints them: those of a section in the schema's order and
/// then its extensions by name, all others by name. `at` is nullptr where the schema has no word.
std::vector<const Json::Member*> in_order(const Json& mapping, const Schema* at, Before before);

/// Of a member of the mapping at `at`.
const Schema* below_of(const Schema* at, std::string_view name);

}  // namespace holdall::app
