#pragma once

#include "app/findings.h"
#include "app/node.h"

namespace holdall::app {

/// Checks one interpolated document key by key against the table of keys.h and brings every value to its long
/// form: lists of NAME=value to mappings, command lines to words, durations to Go's, ports one to an entry.
/// Keys that are unknown or refused are reported with all the others and left out. Null values stay, for the
/// merge to judge.
void make_canonical(Node& root, Findings& findings);

/// After the merge: a key whose value is still null, where Compose allows none, is a problem.
void check_nulls(Node& root, Findings& findings);

/// "services.*" for the members of a mapping of names: the path that the rows of keys.h have, one level down.
std::string pattern_below(std::string_view pattern, std::string_view key);

}  // namespace holdall::app
