#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/discover.h"
#include "app/findings.h"
#include "app/interpolate.h"
#include "app/model.h"

namespace holdall::app {

/// Variables that have neither value nor default: in a release each is a problem, at its first place and with
/// all others, in development all of them are one warning.
void report_unset(const Unset& unset, bool release, const Environment& environment, Findings& findings);

/// Faults of a model as problems at the places where what they are about was written.
void report_faults(const std::vector<Fault>& faults, const std::map<std::string, Where>& places,
                   Findings& findings);

void warn_of_empty_trees(const App& app, const std::map<std::string, Where>& places, Findings& findings);

/// In the order of the files and of their lines; once each.
void put_in_order(std::vector<Problem>& problems, const Sources& sources);

}  // namespace holdall::app
