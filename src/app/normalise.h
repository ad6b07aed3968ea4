#pragma once

#include <string>

#include "app/discover.h"
#include "app/findings.h"
#include "app/node.h"
#include "app/template.h"

namespace holdall::app {

struct NormaliseOptions {
  const Sources& sources;
  const ReadFile& read;
  std::string name;      ///< of the project
  Lookup variables;      ///< for names without a value
  bool release = false;  ///< a name without a value is a problem
};

/// Turns the merged document into the model that Compose prints: services of inactive profiles are gone, env
/// files are in the environment, paths are absolute, defaults are written out and what is empty is left out.
void normalise(Node& root, const NormaliseOptions& options, Findings& findings);

}  // namespace holdall::app
