#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/app.h"
#include "app/discover.h"
#include "app/findings.h"
#include "app/node.h"
#include "app/template.h"

namespace holdall::app {

struct ServiceFileOptions {
  const ReadFile& read;
  const std::filesystem::path& project_dir;  ///< for the names of files in messages
  const Lookup& variables;
  const std::set<std::string>& secrets;  ///< the names that stand for secrets
  VariableUse& use;                      ///< noted here, as `interpolate` does
  /// Gets each env file that was read, and where it is named.
  std::vector<std::pair<std::filesystem::path, Where>>& env_files;
};

/// Puts what stands in the files of `env_file` and `label_file` under the services' own `environment` and
/// `labels`, a later file over an earlier one, in place of these keys.
void read_service_files(Node& root, const ServiceFileOptions& options, Findings& findings);

}  // namespace holdall::app
