#include <fmt/format.h>

#include <cstdio>

#include "cli/options.h"
#include "cli/project.h"

namespace holdall::cli {

int config(Invocation& call) {
  bool services = false, quiet = false, json = false;
  std::string format = "yaml";
  Options options(call, "  holdall config --format json\n  holdall config --on production");
  options.choice("--format", format, {"yaml", "json"}, "how to print the model");
  options.flag("--json", json, "the same as --format json");
  options.flag("--services", services, "print the names of the services only");
  options.flag("-q,--quiet", quiet, "print nothing, only check");
  if (!options.parse()) return 0;
  app::Loaded project =
      load_model(call.globals, call.globals.environment.has_value(), Terminal(2, call.globals.ansi));
  std::string text;
  if (services) {
    for (const std::string& name : project.app.service_order) text += name + "\n";
  } else if (!quiet) {
    text = json || format == "json" ? project.model.pretty() : app::to_yaml(project.model);
  }
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace holdall::cli
