#pragma once

#include <optional>
#include <string>

#include "base/keys.h"
#include "base/secret.h"
#include "cli/cli.h"

namespace holdall::cli {

/// A value from who calls: typed at `prompt` without being shown where stdin is a terminal, else all of stdin
/// without one newline at its end. Throws `invalid` when there is none.
Secret read_secret(const std::string& prompt);

/// The private key in `file` ("-": stdin), if one is named, else the one that HOLDALL_KEY gave. Throws
/// `invalid` without what stands in it.
std::optional<PrivateKey> private_key(Invocation& call, const std::optional<std::string>& file);

/// The text of a key in `file` ("-": stdin), without the newline at its end.
Secret read_key_text(const std::string& file);

}  // namespace holdall::cli
