#pragma once

#include "cli/cli.h"

namespace holdall {

/// `holdall serve`: becomes the parent, which executes the two below.
int serve_command(cli::Invocation& call);

/// The control process: builds every long-lived object, serves the API until SIGTERM or until the parent is
/// gone, and tears down in reverse. Instances run on.
int control_command(cli::Invocation& call);

/// The router process.
int router_command(cli::Invocation& call);

}  // namespace holdall
