#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "release/release.h"

namespace holdall::release {

/// Throws `invalid` for names and values that cannot be, `missing` for one to unset that is not in `known`.
void check_variable_names(const std::map<std::string, std::string>& set, const std::set<std::string>& unset,
                          const std::map<std::string, Variable>& known);

/// The request with these variables set and unset by its `by`, and its model filled anew. Throws as
/// Releases::set_variables does.
void change_variables(Request& request, const std::map<std::string, std::string>& set,
                      const std::set<std::string>& unset, WallTime now);

/// Those of `set` that no value of the model refers to.
std::vector<std::string> unused_of(const Request& request, const std::map<std::string, std::string>& set);

std::map<std::string, std::vector<Seen>> seen_by_services(const Request& request);

}  // namespace holdall::release
