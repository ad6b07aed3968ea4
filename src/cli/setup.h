#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "cli/terminal.h"

namespace holdall::cli {

/// Where `setup` puts what, and as whom people log in. The unit, the daemon and the documentation know them.
inline constexpr const char* kInstalled = "/usr/local/bin/holdall";
inline constexpr const char* kPackaged = "/usr/bin/holdall";
inline constexpr const char* kConfiguration = "/etc/holdall";
inline constexpr const char* kLoginHome = "/etc/holdall/login";
inline constexpr const char* kServiceAccount = "holdall";  ///< the group that may do everything, and the user
inline constexpr const char* kUnitFile = "/etc/systemd/system/holdall.service";
inline constexpr const char* kPackagedUnit = "/lib/systemd/system/holdall.service";
inline constexpr const char* kLogFile = "/var/log/holdall.log";

/// One thing that setup sees to.
struct Step {
  std::string what;  ///< "user holdall"
  /// What is to be done, as of "make it"; nothing: it is so already. Throws what stands in the way.
  std::function<std::optional<std::string>()> missing;
  std::function<void()> act;
};

/// Does what is missing, a line each: `already`, `done`, or with `dry_run` `would`. Returns how many were
/// done, or would be.
int carry_out(const std::vector<Step>& steps, bool dry_run, const Terminal& out);

/// Runs a program of the system and throws `failed` with its last words unless it ends well.
std::string must_run(std::vector<std::string> argv);

/// Whether systemd is this machine's init.
bool has_systemd();

struct SetupOptions {
  std::string engine;
  bool dry_run = false, purge = false, yes = false;
};

/// Makes this machine a server, or mends it. As root. Returns the exit code.
int setup_here(const SetupOptions& options, const Terminal& out);

/// Takes the service away; with `purge` and the machine's name typed, all that it kept too. As root.
int remove_here(const SetupOptions& options, const Terminal& out);

/// The same on another machine: sends this binary there, which does it. `words` are what its own `setup` is
/// given.
int setup_there(const std::string& destination, const std::vector<std::string>& words, bool dry_run,
                const Terminal& out);

}  // namespace holdall::cli
