#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/app.h"
#include "cli/server.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {

/// Reads the caller's project: as development does, or as a release to the environment of --on does. Warnings
/// go to `errors`.
app::Loaded load_project(const Globals& globals, bool release, const Terminal& errors);

/// As a release is: with the variables that `env set` has set of the app on this server.
app::Loaded load_release(const Globals& globals, Server& server, const Terminal& errors);

/// The same, leaving out what only an engine asks of it: to be looked at, not run.
app::Loaded load_model(const Globals& globals, bool release, const app::Steps& steps, const Terminal& errors);

/// The project held against the engine: as development reads it, or as a release to the environment of --on
/// with what the files alone say.
app::Examined examine_project(const Globals& globals);

/// The model of a release with its paths as they are written.
Json paths_as_written(const Globals& globals);

/// Whether git ignores the file; no where there is no git.
bool git_ignores(const std::filesystem::path& directory, const std::filesystem::path& file);

/// The env files that a release would not find in the repository: each is refused.
std::vector<Problem> ignored_env_files(const app::Loaded& project);

/// "12 KB"
std::string bytes_text(std::uint64_t bytes);

/// What a release of the caller's project would be of, though its services may have problems.
app::Environment identify_project(const Globals& globals);

/// Where the project would be, without reading its services: what names the private serve of `up`. Throws
/// `missing` if there is no Compose file.
std::filesystem::path project_directory(const Globals& globals);

/// The named services and all they depend on remain, in the value and in the model. None named: all. Throws
/// `missing` for a name the file does not have.
void narrow(app::Loaded& project, const std::vector<std::string>& services);

/// "4f2a91c", "4f2a91c-dirty"; empty where the project is no git checkout or there is no git.
std::string git_commit(const std::filesystem::path& directory);

/// Every service's artefact on the server, by name; what it lacks is packed and sent, with a word on
/// `progress`.
std::map<std::string, std::string> send_artefacts(Server& server, const app::App& app,
                                                  const Terminal& progress);

/// What development takes from the caller, sealed to the private server's key: what is sent and kept then is
/// as in a release. A project without secrets has no sealed file.
void seal_for_development(app::Loaded& project, Server& server);

/// The request that releases this project.
wire::DeployRequest deploy_request(const app::Loaded& project, std::map<std::string, std::string> artefacts);

}  // namespace holdall::cli
