#pragma once

#include <sys/types.h>
#include <optional>
#include <string_view>

namespace holdall::api {

/// The youngest child of `parent` whose first argument is `argument`: how control finds the router, its
/// sibling, and not one that was replaced.
std::optional<pid_t> child_with_argument(pid_t parent, std::string_view argument);

}  // namespace holdall::api
