#pragma once

#include <deque>
#include <filesystem>
#include <set>
#include <string>

#include "cli/server.h"
#include "cli/terminal.h"

namespace holdall::cli {

/// Where the private server of a project has its state and sockets: under those of the user, by the project's
/// directory.
struct PrivatePlace {
  std::filesystem::path state, run;
  net::Address api() const { return {.host = "", .port = 0, .path = (run / "api.sock").string()}; }
};
PrivatePlace private_place(const std::filesystem::path& project);

/// Whether a private server answers there now.
bool answers(const PrivatePlace& place);

/// How a private server is started.
struct PrivateOptions {
  std::set<std::uint16_t> published;  ///< ports that the project wants for itself
  std::set<std::string> withheld;     ///< variables of the caller that it does not get: secrets
  bool shared_uid = false;
};

/// Executes this binary as the project's private server and waits until it answers. Its HTTP port is 8080 or
/// the next that is free and not published. Throws `failed` with what it said if it ends before.
void start_private_server(const PrivatePlace& place, const PrivateOptions& options = {});

/// What `ps` and `logs` are about: the app of the caller's project, and the server that runs it: the one
/// named by -H or --on, else the project's private one, if it runs.
struct Stack {
  std::string app;
  std::deque<Server> servers;  ///< none: it does not run
  Server* server = nullptr;    ///< the only one
};
/// Throws `invalid` where an environment has several servers.
Stack find_stack(const Globals& globals);
/// The same for a command that can be about several.
Stack find_stacks(const Globals& globals);

/// Whether its process has ended, whatever it left behind: asked of the kernel, by the lock it holds.
bool is_gone(const PrivatePlace& place);

/// Stops everything the project's private server runs, saying what ends, and waits until the server has gone.
/// No server is no error.
void stop_private_server(const PrivatePlace& place, const Terminal& out);

}  // namespace holdall::cli
