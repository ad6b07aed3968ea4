#pragma once

#include <vector>

#include "app/discover.h"
#include "app/documents.h"
#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// The entries of `x-holdall.environments` of documents as they were parsed: before any variable has a value,
/// because it is an environment that says which variables there are. Their files are not looked for yet. An
/// entry without a value becomes an empty mapping in its document, which is what it means.
std::vector<Environment> read_environments(std::vector<Source>& files, const Sources& sources,
                                           Findings& findings);

/// The environment of a release: the one named, else the only one, else, where there is none, the unnamed
/// one. Throws `invalid` with the list where it is not clear which.
Environment choose_environment(const std::vector<Environment>& environments, const LoadOptions& options,
                               const Sources& sources);

/// Brings the files, variables and profiles of `environment` into `sources`.
void enter_environment(Environment& environment, const LoadOptions& options, const ReadFile& read,
                       Sources& sources, Findings& findings);

/// Gives the environment its app's name on a server: -p, else what it says itself, else `name`, which the
/// files have, with the environment's own after it unless that is `production`.
void name_app(Environment& environment, const std::string& name, const LoadOptions& options,
              Findings& findings);

/// Removes the block from a document of a release: which servers there are is the client's to know. A problem
/// in a file that only an environment names.
void remove_environments(Node& document, const Sources& sources, Findings& findings);

}  // namespace holdall::app
