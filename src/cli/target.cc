#include "cli/target.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "base/error.h"
#include "cli/project.h"
#include "cli/settings.h"

namespace holdall::cli {
namespace {

/// -H, and without --on HOLDALL_HOST too.
std::optional<app::Host> named_host(const Globals& globals) {
  if (globals.host) return app::parse_host(*globals.host);
  if (globals.environment) return std::nullopt;
  auto variables = environment();
  auto variable = variables.find("HOLDALL_HOST");
  if (variable == variables.end() || variable->second.empty()) return std::nullopt;
  try {
    return app::parse_host(variable->second);
  } catch (const Error& error) {
    throw error.during("HOLDALL_HOST");
  }
}

/// Nothing where there is no project and none was asked for.
std::optional<app::Environment> find_environment(const Globals& globals) {
  try {
    return identify_project(globals);
  } catch (const Error& error) {
    if (error.kind() != Error::missing || globals.environment || !globals.files.empty()) throw;
    return std::nullopt;
  }
}

std::vector<app::Host> choose_hosts(const std::optional<app::Host>& named,
                                    const std::optional<app::Environment>& environment) {
  if (named) return {*named};
  if (environment && !environment->hosts.empty()) return environment->hosts;
  return {app::parse_host(local_api())};
}

}  // namespace

Target target_of(const Globals& globals) {
  std::optional<app::Host> named = named_host(globals);
  if (globals.project_name && named && !globals.environment)
    return {.app = *globals.project_name, .environment = "", .hosts = {*named}};
  std::optional<app::Environment> environment =
      globals.project_name ? find_environment(globals) : identify_project(globals);
  if (!environment) environment = app::Environment{.name = "", .app = *globals.project_name};
  return {.app = environment->app,
          .environment = environment->name,
          .hosts = choose_hosts(named, environment),
          .is_protected = environment->is_protected};
}

std::vector<app::Host> hosts_of(const Globals& globals) {
  std::optional<app::Host> named = named_host(globals);
  if (named) return {*named};
  return choose_hosts(named, find_environment(globals));
}

std::string name_of(const Target& target) {
  return target.environment.empty() ? target.app : target.environment;
}

void confirm_change(const Globals& globals, const Target& target, const std::string& change) {
  if (!target.is_protected || globals.yes) return;
  if (!isatty(0)) {
    throw Error(Error::invalid, fmt::format("{} is protected: what {} needs --yes where nobody can be asked",
                                            name_of(target), change));
  }
  std::cerr << fmt::format("{} is protected, and this {}. Type {} to go on: ", name_of(target), change,
                           target.app)
            << std::flush;
  std::string typed;
  std::getline(std::cin, typed);
  if (typed != target.app)
    throw Error(Error::invalid, fmt::format("'{}' is not '{}': nothing was changed", typed, target.app));
}

}  // namespace holdall::cli
