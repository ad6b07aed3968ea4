#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/app.h"
#include "cli/cli.h"

namespace holdall::cli {

/// What a command of releases is about: an app, in one of its environments, on that environment's servers.
struct Target {
  std::string app;               ///< its name on the servers
  std::string environment;       ///< "staging"; empty: the unnamed one
  std::vector<app::Host> hosts;  ///< in the order of releases; never empty
  bool is_protected = false;     ///< changes are to be confirmed
};

/// By the flags and the caller's project: the environment of --on, else the only one. Its hosts, unless -H
/// names a server; without --on, HOLDALL_HOST comes before them. No host at all: this machine. With -p and a
/// named server no project is needed. Throws `invalid` with the list where several environments leave it
/// open, `missing` where there is no project to say the app's name.
Target target_of(const Globals& globals);

/// The same servers for a command that is about no app: no project is no error.
std::vector<app::Host> hosts_of(const Globals& globals);

/// "production", or the app's name where environments have none: how a target is called in messages.
std::string name_of(const Target& target);

/// Before a change of a protected environment: asks for the app's name, unless -y was given. `change` says
/// what is going to happen: "releases v4". Throws `invalid` when another name is typed, or when nobody can be
/// asked.
void confirm_change(const Globals& globals, const Target& target, const std::string& change);

}  // namespace holdall::cli
