#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "app/app.h"
#include "base/keys.h"
#include "base/secret.h"
#include "release/release.h"
#include "release/rows.h"

namespace holdall::release {

using OpenedSecrets = std::map<std::string, Secret>;

/// Everything that is sealed in the request. Throws `invalid` or `denied` unless all of it opens.
OpenedSecrets open_sealed(const Request& request, const std::string& app, const std::filesystem::path& keys);

/// The same after a check that services may have secrets here, that each name they name is sealed, and that
/// its value fits where it goes; every problem in one Error.
OpenedSecrets check_secrets(const Request& request, const app::App& app, const ReleasesOptions& options);

/// The names whose values differ, or that one side does not have.
std::set<std::string> changed_secrets(const OpenedSecrets& before, const OpenedSecrets& after);

/// Adds the public keys to which the values of a release are sealed; also those of former releases whose
/// groups it keeps, for an instance that is started again gets the values of the release that its group began
/// with.
void add_needed_keys(store::Transaction& t, const Row& row, std::vector<PublicKey>& keys);

}  // namespace holdall::release
