#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "app/app.h"

namespace holdall::cli {

/// What a release makes of a source of files beside the image: docs/compose.md, "What travels".
enum class Travel : std::uint8_t {
  artefact,   ///< a build context: what `.dockerignore` leaves of it is what the service runs from
  left_out,   ///< a mount over the build context, for development: the artefact has its files
  read_only,  ///< files of the repository, which a release carries
  directory,  ///< kept on the server, as a volume is: it is absent here, or git ignores it
  volume,     ///< of the server, which no release removes
  server,     ///< a path of the server's own
  env_file,   ///< its variables are part of the model
  ignored,    ///< an env_file that is not in the repository: refused
};

/// One of them, as the project names it.
struct Travelling {
  Travel how;
  std::string service;  ///< empty of an env_file
  std::string what;     ///< "./data:/data", "web.env"
  Where where;
  std::size_t files = 0;     ///< of an artefact
  std::uintmax_t bytes = 0;  ///< of them
};

/// Whether git ignores a file.
using Ignores = std::function<bool(const std::filesystem::path&)>;

/// What a bind mount is whose source is written as a relative path, in a service that is built from `context`
/// (empty: from none).
Travel travel_of(const std::filesystem::path& source, const std::filesystem::path& context,
                 const Ignores& ignores);

/// All that a release of the project would bring, leave, or find there, in the order of the services.
/// `written` is the same model with its paths as they are written.
std::vector<Travelling> travelling(const app::Loaded& project, const Json& written, const Ignores& ignores);

}  // namespace holdall::cli
