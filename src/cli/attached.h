#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/server.h"
#include "wire/wire.h"

namespace holdall::cli {

/// What `exec` and `run` have in common: their flags, and what becomes of them.
struct ProgramOptions {
  wire::ProgramRequest request;
  bool no_terminal = false;  ///< -T
  std::vector<std::string> environment;
  std::optional<std::string> working_dir, user;
  bool interactive = false, terminal = false;  ///< as it is by itself

  void define(Options& options);

  /// Fills `request`: NAME=VALUE and NAME alone, which is the caller's own value, and a terminal if this
  /// process has one to read from and to write to.
  void take();
};

/// Runs the program at `target` (.../exec or .../run) and is its terminal, or its input and output, until it
/// ends. Returns its exit code, 128 and the signal's number for a signal that ends this process first.
/// What was started ends when this process does. Throws when Holdall fails.
int attend(Server& server, const std::string& target, const wire::ProgramRequest& request);

/// Runs `work`, which returns a program's exit code. When Holdall itself fails, or is asked for what it does
/// not know, that is 125, said on stderr.
int program_code(Invocation& call, const std::function<int()>& work);

}  // namespace holdall::cli
