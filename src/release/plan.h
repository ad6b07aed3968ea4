#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "app/app.h"
#include "base/id.h"
#include "base/json.h"
#include "release/release.h"

namespace holdall::release {

/// What serves when a plan is made.
struct Serving {
  int number = 0;
  Request request;
  std::map<std::string, GroupId> groups;
};

/// What a release of `wanted` would do to what serves. A service is replaced when its artefact or its part of
/// the model differs, or when everything is (`force`, or a change between development and release); its build
/// context's path and build argv count by the artefact that they gave. So is one that sees a secret of
/// `changed`.
Plan make_plan(const std::optional<Serving>& serving, const Request& request, const app::App& wanted, int to,
               const std::set<std::string>& changed = {});

/// "web x3, the file says 1", of each service whose number somebody set.
std::vector<std::string> scaled(const Request& request);

/// What was set beside `from`, the serving release, holds in `to` where the model's number is the same.
void carry_scale(const Request& from, Request& to);

/// service -> group of the release that carries `plan` out: what it keeps, and one of its own for the others.
std::map<std::string, GroupId> groups_of(const Plan& plan, const std::optional<Serving>& serving);

/// `hello/web@v3`, and 3 of it.
GroupId group_id(const std::string& app, const std::string& service, int number);
int release_of(const GroupId& group);

/// `hello/web:release.1@v3`, of a release command: no service's name has a colon.
GroupId command_group_id(const std::string& app, const std::string& service, std::size_t which, int number);

/// `hello/web:run.4f2a91c0@v3`, of a one-off.
GroupId one_off_group_id(const std::string& app, const std::string& service, const std::string& tag,
                         int number);

/// "web: flask db upgrade" of each release command, in the order in which they are run.
std::vector<std::string> commands_of(const app::App& app);

/// "v3".
std::string version(int number);
Json version(const std::optional<int>& number);  ///< null for none

}  // namespace holdall::release
