#pragma once

#include <filesystem>
#include <string>

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// Makes the relative paths of a document absolute, from `directory`; a leading '~' is `home`.
void resolve_paths(Node& root, const std::filesystem::path& directory, const std::string& home,
                   Findings& findings);

/// What a URL of a repository or of a tarball looks like: a build context that is no path.
bool is_remote(std::string_view context);

}  // namespace holdall::app
