#include <fmt/format.h>

#include <cstdio>

#include "cli/cli.h"
#include "cli/options.h"
#include "wire/wire.h"

namespace holdall::cli {

int version(Invocation& call) {
  bool json = false;
  Options options(call, "  holdall version --json");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  const wire::Build& build = wire::build();
  std::string text = json ? wire::to_json(build).pretty()
                          : fmt::format("holdall version {} ({})\n", build.version, build.commit);
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace holdall::cli
