#pragma once

#include <string_view>

namespace holdall {

/// Whether a variable of this name holds what nobody else may read, as people name them: DB_PASSWORD,
/// apiKey, GITHUB_TOKEN. Not the name of a file that holds it (DB_PASSWORD_FILE), nor of what is public
/// (PUBLIC_KEY).
bool names_a_secret(std::string_view name);

}  // namespace holdall
