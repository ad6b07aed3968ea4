#pragma once

#include <filesystem>
#include <span>

#include "base/error.h"
#include "base/json.h"
#include "cli/terminal.h"

namespace holdall::cli {

/// Problems of files as people read them: place and message, the line itself with a caret under the place,
/// how to mend it. The line is read from the file now; of one that cannot be read, that changed since, or
/// that is no YAML, such as an env file, none is shown. Relative names are of `directory`.
void print_errors(const Terminal& out, std::span<const Problem> problems,
                  const std::filesystem::path& directory);
void print_warnings(const Terminal& out, std::span<const Problem> problems,
                    const std::filesystem::path& directory);

/// {"file", "line", "column", "message", "hint"}, without what is 0 or empty.
Json to_json(const Problem& problem);
Json to_json(std::span<const Problem> problems);

}  // namespace holdall::cli
