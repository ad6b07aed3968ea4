#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "cli/server.h"
#include "cli/settings.h"
#include "cli/setup.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// Each app's instances get their grace.
constexpr auto kDestroyTimeout = 10min;
constexpr auto kStopTimeout = 30s;
constexpr auto kAskAgain = 50ms;

/// What the service keeps for its users.
struct Kept {
  fs::path state, keys, run;
  std::vector<std::string> apps;
  std::optional<int> serve;  ///< its pid, where it answers
};

Kept look() {
  auto all = settings();
  net::Address api = socket_at(all.at("HOLDALL_API").value);
  Kept kept{.state = all.at("HOLDALL_STATE").value,
            .keys = all.at("HOLDALL_KEYS").value,
            .run = fs::path(api.path).parent_path(),
            .apps = {},
            .serve = std::nullopt};
  Server server(api);
  try {
    kept.serve = static_cast<int>(server.get("/v1/server").at("serve").at("pid").integer());
    const Json answer = server.get("/v1/apps");
    for (const Json& app : answer.at("apps").items()) kept.apps.push_back(app.at("name").string());
  } catch (const Error& error) {
    if (error.kind() != Error::missing) throw;
  }
  return kept;
}

/// Nothing of a user's goes without the machine's name, typed.
void confirm_purge(const Kept& kept) {
  std::array<char, 256> name{};
  checked(gethostname(name.data(), name.size() - 1), "ask for this machine's name");
  std::cerr
      << fmt::format(
             "This stops {} app{} and deletes {}, {} and every private key. Without a backup of the keys or "
             "the recovery key nobody opens the sealed values again.\nType this machine's name ({}): ",
             kept.apps.size(), kept.apps.size() == 1 ? "" : "s", kept.state.string(), kConfiguration,
             name.data())
      << std::flush;
  std::string typed;
  std::getline(std::cin, typed);
  if (typed != name.data())
    throw Error(Error::invalid, fmt::format("'{}' is not '{}': nothing was removed", typed, name.data()));
}

Step apps_step(const Kept& kept) {
  auto missing = [&kept]() -> std::optional<std::string> {
    if (kept.apps.empty()) return std::nullopt;
    return fmt::format("{} stopped and forgotten", kept.apps.size());
  };
  auto act = [&kept] {
    Server server(socket_at(settings().at("HOLDALL_API").value));
    for (const std::string& app : kept.apps) {
      server.remove("/v1/apps/" + wire::percent_encode(app), Deadline::after(kDestroyTimeout));
    }
  };
  return {"apps", missing, act};
}

Step service_step(const Kept& kept) {
  auto missing = [&kept]() -> std::optional<std::string> {
    if (!kept.serve) return std::nullopt;
    return "stopped; instances run on";
  };
  auto act = [&kept] {
    if (has_systemd()) {
      must_run({"systemctl", "disable", "--now", "holdall.service"});
      return;
    }
    ::kill(*kept.serve, SIGTERM);
    Deadline deadline = Deadline::after(kStopTimeout);
    while (::kill(*kept.serve, 0) == 0) {
      if (deadline.passed())
        throw Error(Error::busy, fmt::format("serve (pid {}) did not end in 30 s", *kept.serve));
      std::this_thread::sleep_for(kAskAgain);
    }
  };
  return {"service holdall", missing, act};
}

Step gone(const fs::path& path) {
  auto missing = [path]() -> std::optional<std::string> {
    if (!fs::exists(fs::symlink_status(path))) return std::nullopt;
    return "removed";
  };
  return {path.string(), missing, [path] { fs::remove_all(path); }};
}

Step no_account(const std::string& what, bool there, const std::vector<std::string>& argv) {
  auto missing = [there]() -> std::optional<std::string> {
    if (!there) return std::nullopt;
    return "removed";
  };
  return {what, missing, [argv] { must_run(argv); }};
}

}  // namespace

int remove_here(const SetupOptions& options, const Terminal& out) {
  const Kept kept = look();
  if (options.purge && !options.dry_run) confirm_purge(kept);
  std::vector<Step> steps;
  if (options.purge) steps.push_back(apps_step(kept));
  steps.push_back(service_step(kept));
  steps.push_back(gone(kUnitFile));
  steps.push_back(gone(kInstalled));
  if (options.purge) {
    steps.push_back(gone(kept.state));
    steps.push_back(gone(kept.run));
    steps.push_back(gone(kept.keys));
    steps.push_back(gone(kConfiguration));
    steps.push_back(gone(kLogFile));
    steps.push_back(no_account("user holdall", getpwnam(kServiceAccount), {"userdel", kServiceAccount}));
    steps.push_back(no_account("group holdall", getgrnam(kServiceAccount), {"groupdel", kServiceAccount}));
  }
  carry_out(steps, options.dry_run, out);
  if (!options.purge) {
    out.line(
        fmt::format("{}{} with releases and keys stay in {} and {}; setup finds them again, setup --remove "
                    "--purge deletes them",
                    kept.apps.empty() ? "" : "instances run on; ", kept.apps.empty() ? "data" : "their data",
                    kept.state.string(), kConfiguration));
  }
  return 0;
}

}  // namespace holdall::cli
