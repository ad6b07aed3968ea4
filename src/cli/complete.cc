#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "cli/app_name.h"
#include "cli/completion.h"
#include "cli/development.h"
#include "cli/project.h"
#include "cli/server.h"
#include "cli/settings.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

/// Whoever presses Tab does not wait for a network.
bool answers_at_once(const Globals& globals) {
  auto variables = environment();
  return (!globals.host || globals.host->starts_with("unix://") || globals.host->starts_with("/")) &&
         (globals.host || !variables.contains("HOLDALL_HOST"));
}

class Known final : public Names {
 public:
  std::vector<std::string> of(std::string_view kind, const Globals& globals) override {
    try {
      if (kind == "SERVICE") return services(globals);
      if (kind == "APP" && answers_at_once(globals)) return apps(globals);
      if (kind == "RELEASE" && answers_at_once(globals)) return releases(globals);
    } catch (const Error&) {
      // A project with problems, or no server: there is nothing to offer.
    }
    return {};
  }

 private:
  static std::vector<std::string> services(const Globals& globals) {
    std::vector<std::string> names;
    app::Loaded project = load_project(globals, false, Terminal(2, "never"));
    for (const auto& [name, service] : project.app.services) names.push_back(name);
    return names;
  }

  static std::vector<std::string> apps(const Globals& globals) {
    std::vector<std::string> names;
    const Json answer = server_of(globals).get("/v1/apps");
    for (const Json& app : answer.at("apps").items()) names.push_back(app.at("name").string());
    return names;
  }

  static std::vector<std::string> releases(const Globals& globals) {
    std::vector<std::string> names;
    const Json answer =
        server_of(globals).get(fmt::format("/v1/apps/{}/releases", wire::percent_encode(app_name(globals))));
    for (const Json& release : answer.at("releases").items()) names.push_back(release.at("release").string());
    return names;
  }
};

}  // namespace

int complete(Invocation& call) {
  Known names;
  for (const auto& [word, help] : candidates(call.table, call.arguments, names)) {
    std::puts((help.empty() ? word : fmt::format("{}\t{}", word, help)).c_str());
  }
  return 0;
}

}  // namespace holdall::cli
