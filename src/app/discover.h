#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/findings.h"

namespace holdall::app {

/// Reads a file whole; nothing if there is none. The only way in which the reader reaches the outside.
using ReadFile = std::function<std::optional<std::string>(const std::filesystem::path&)>;

/// What is to be read, and with which variables.
struct Sources {
  std::vector<std::filesystem::path> files;      ///< absolute, in the order of merging
  std::vector<std::filesystem::path> found;      ///< of them, what `discover` found: those of no environment
  std::filesystem::path project_dir;             ///< absolute: relative paths in any of the files begin here
  std::map<std::string, std::string> variables;  ///< of interpolation: shell, then env files
  std::map<std::string, std::string> written;    ///< those that env files have, over the shell's or under
  std::map<std::string, std::string> origins;    ///< of `written`: the file
  std::vector<std::string> profiles;
};

/// Finds the files as Compose does: -f, COMPOSE_FILE, or the first of four names in the working directory or
/// above it, with its override. In a release: those given, or the first found, alone, and no variables.
/// Throws `missing`.
Sources discover(const LoadOptions& options, const ReadFile& read, Findings& findings);

/// The project's name: -p, COMPOSE_PROJECT_NAME, `name:` of the files (already interpolated; nothing if there
/// is none), or the directory's, made lower case and freed of every other character than letters, digits, '-'
/// and '_'.
std::string project_name(const LoadOptions& options, const Sources& sources,
                         const std::optional<std::string>& written, Findings& findings);

/// Whether this can be a project's name as it is.
bool is_project_name(const std::string& name);

/// Adds the variables of these env files to the sources', a later over an earlier one and
/// `options.environment` over all. `named_by` says who wants them to exist; empty: nobody.
void read_variables(const std::vector<std::filesystem::path>& files, const std::string& named_by,
                    const LoadOptions& options, const ReadFile& read, Sources& sources, Findings& findings);

/// How messages name a file: relative to the project's directory when it is inside.
std::string shown(const std::filesystem::path& file, const std::filesystem::path& project_dir);

}  // namespace holdall::app
