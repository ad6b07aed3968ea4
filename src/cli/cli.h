#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "net/address.h"

namespace holdall::cli {

/// Flags that any command takes, before its name or after it.
struct Globals {
  std::vector<std::string> files;           ///< -f
  std::optional<std::string> project_name;  ///< -p
  std::vector<std::string> profiles, env_files;
  std::optional<std::string> project_dir;
  std::optional<std::string> host;         ///< -H
  std::optional<std::string> environment;  ///< --on
  std::string ansi = "auto";               ///< never, always, auto
  bool yes = false;                        ///< -y
};

struct Command;
struct Description;

/// One call of a command.
struct Invocation {
  const Command& command;
  Globals globals;
  std::vector<std::string> arguments;   ///< those after its name
  std::optional<Secret> key;            ///< what HOLDALL_KEY held; it is no longer in the environment
  std::span<const Command> table = {};  ///< all commands
  Description* description = nullptr;   ///< where to say what it takes, instead of doing anything
};

/// A row of main's table. `run` returns the exit code, or throws an Error that becomes one. It defines its
/// flags and arguments (cli/options.h) before it does anything else, as it is also called for those alone.
struct Command {
  std::string_view name;   ///< "deploy"
  std::string_view group;  ///< its heading in `holdall --help`; empty: not listed
  std::string_view help;   ///< one line
  int (*run)(Invocation&);
};

/// Finds the command, runs it, says what went wrong on stderr. Returns the exit code.
int command_line(std::span<const Command> table, int argc, char** argv);

int up(Invocation& call);
int down(Invocation& call);
int ps(Invocation& call);
int logs(Invocation& call);
int config(Invocation& call);
int check(Invocation& call);
int plan(Invocation& call);
int deploy(Invocation& call);
int releases(Invocation& call);
int rollback(Invocation& call);
int status(Invocation& call);
int scale(Invocation& call);
int restart(Invocation& call);
int stop(Invocation& call);
int start(Invocation& call);
int kill(Invocation& call);
int maintenance(Invocation& call);
int env(Invocation& call);
int secrets(Invocation& call);
int apps(Invocation& call);
int reload(Invocation& call);
int access(Invocation& call);
int setup(Invocation& call);
int version(Invocation& call);
int stdio(Invocation& call);
int exec(Invocation& call);
int run(Invocation& call);
int top(Invocation& call);
int stats(Invocation& call);
int events(Invocation& call);
int open_app(Invocation& call);
int completion(Invocation& call);
int complete(Invocation& call);
int man(Invocation& call);

/// How a `holdall serve` was asked to be.
struct ServeSettings {
  std::filesystem::path state;
  std::filesystem::path run;   ///< the directory of `api`
  std::filesystem::path keys;  ///< private keys, a directory an app
  net::Address api, http;
  std::optional<net::Address> api_tls;  ///< where tokens are taken, through TLS
  /// Its certificate and key, PEM; empty: made at the first start, in the state directory.
  std::filesystem::path api_tls_cert, api_tls_key;
  std::string engine;
  /// The users that services run as, first and last; nothing: all run as serve does.
  std::optional<std::pair<std::uint32_t, std::uint32_t>> uids;
  bool shared_uid = false;  ///< that this is so is accepted: services may have secrets
  bool is_private = false;  ///< `up`'s own: ends with the last session
  /// Serve is not to be, but to be described for one that runs: its limits, as `serve_command` wrote them.
  std::optional<std::string> for_upgrade;
};

/// The flags of `serve` over its environment, its configuration file and the defaults. Nothing when the call
/// is answered by that (--help, --print-config).
std::optional<ServeSettings> serve_settings(Invocation& call);

}  // namespace holdall::cli
