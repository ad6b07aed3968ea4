#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "base/json.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "cli/terminal.h"

namespace holdall::cli {
namespace {

void print(const std::map<std::string, Setting>& settings, const std::filesystem::path& run, bool json) {
  Json object = Json::object();
  Table table({"SETTING", "VALUE", "FROM"});
  for (const auto& [name, setting] : settings) {
    object[name] = Json::object({{"value", setting.value}, {"from", setting.origin}});
    table.row({name, setting.value, setting.origin});
  }
  object["run"] = Json::object({{"value", run.string()}, {"from", "the directory of HOLDALL_API"}});
  table.row({"run directory", run.string(), "the directory of HOLDALL_API"});
  std::fputs((json ? object.pretty() : table.text()).c_str(), stdout);
}

}  // namespace

std::optional<ServeSettings> serve_settings(Invocation& call) {
  std::optional<std::string> state, http, api, keys, engine;
  bool print_config = false, json = false, is_private = false;
  Options options(call, "  holdall serve --http :8080\n  holdall serve --print-config");
  options.value("--state", state, "DIR", "where releases, artefacts and logs are kept (HOLDALL_STATE)");
  options.value("--http", http, "ADDRESS", "where the router listens (HOLDALL_HTTP)");
  options.value("--api", api, "PATH", "the API's socket; its directory is the run directory (HOLDALL_API)");
  options.value("--keys", keys, "DIR", "private keys of sealed secrets, a directory an app (HOLDALL_KEYS)");
  options.value("--engine", engine, "NAME", "what runs instances: process (HOLDALL_ENGINE)");
  options.flag("--print-config", print_config, "print each setting and where it comes from, then exit");
  options.flag("--json", json, "print it as a JSON object");
  options.flag("--private", is_private, "end with the last session: what `up` starts");
  if (!options.parse()) return std::nullopt;

  std::map<std::string, std::string> flags;
  if (state) flags["HOLDALL_STATE"] = *state;
  if (http) flags["HOLDALL_HTTP"] = *http;
  if (api) flags["HOLDALL_API"] = *api;
  if (keys) flags["HOLDALL_KEYS"] = *keys;
  if (engine) flags["HOLDALL_ENGINE"] = *engine;
  auto all = settings(std::move(flags));

  ServeSettings chosen;
  chosen.state = std::filesystem::absolute(all["HOLDALL_STATE"].value);
  chosen.api = socket_at(all["HOLDALL_API"].value);
  chosen.run = std::filesystem::path(chosen.api.path).parent_path();
  chosen.keys = std::filesystem::absolute(all["HOLDALL_KEYS"].value);
  chosen.engine = all["HOLDALL_ENGINE"].value;
  chosen.is_private = is_private;
  try {
    chosen.http = net::parse_address(all["HOLDALL_HTTP"].value);
  } catch (const Error& error) {
    throw error.during(all["HOLDALL_HTTP"].origin);
  }
  if (chosen.engine != "process") {
    throw Error(Error::invalid, fmt::format("{}: engine '{}' is not in this version; there is: process",
                                            all["HOLDALL_ENGINE"].origin, chosen.engine));
  }
  if (print_config) {
    print(all, chosen.run, json);
    return std::nullopt;
  }
  return chosen;
}

}  // namespace holdall::cli
