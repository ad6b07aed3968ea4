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

struct NormaliseOptions {
  const Sources& sources;
  const ReadFile& read;
  std::string name;                      ///< of the project
  Lookup variables;                      ///< for names without a value
  const std::set<std::string>& secrets;  ///< the names that stand for secrets
  bool release = false;                  ///< a name without a value is a problem
  bool secrets_must_be_set = true;
  VariableUse& use;  ///< noted here, as `interpolate` does
  /// Gets each env file that was read, and where it is named.
  std::vector<std::pair<std::filesystem::path, Where>>* env_files = nullptr;
};

/// Turns the merged document into the model that Compose prints: services of inactive profiles are gone, env
/// files are in the environment, paths are absolute, defaults are written out and what is empty or not used
/// is left out. Values of environment are templates, before and after.
void normalise(Node& root, const NormaliseOptions& options, Findings& findings);

}  // namespace holdall::app
