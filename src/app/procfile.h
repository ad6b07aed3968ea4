#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

bool is_procfile(const std::filesystem::path& file);

/// A Procfile (`web: command`, a line each) as the compose file that means the same: each process type is a
/// service that runs its line in a shell from the project's directory, `web` is routed, and `release:` is
/// web's release command. In development they see the variables of `.env` too. Faults are problems with
/// `file`'s name and line.
Node read_procfile(std::string_view bytes, const std::string& file, bool release, Findings& findings);

}  // namespace holdall::app
