#pragma once

#include <set>
#include <string>

#include "app/app.h"
#include "app/findings.h"
#include "app/node.h"
#include "app/template.h"

namespace holdall::app {

struct NormaliseOptions {
  const std::string& name;               ///< of the project
  const Lookup& variables;               ///< for names without a value
  const std::set<std::string>& secrets;  ///< the names that stand for secrets
  bool release = false;                  ///< a name without a value is a problem
  VariableUse& use;                      ///< noted here, as `interpolate` does
};

/// Writes out what the merged document of a project leaves to the reader: the default network, names of
/// resources, the Dockerfile, values of variables, and the dependencies that links and shared namespaces are.
void normalise(Node& root, const NormaliseOptions& options, Findings& findings);

}  // namespace holdall::app
