#pragma once

#include "base/secret.h"

namespace holdall::cli {

/// The token for a server's TLS listener: the first line of the file that HOLDALL_TOKEN_FILE names, else
/// HOLDALL_TOKEN, with a warning, once, as every process of this user can read that. Throws `invalid` without
/// what stands there.
Secret api_token();

}  // namespace holdall::cli
