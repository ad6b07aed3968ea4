#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "base/error.h"
#include "cli/options.h"
#include "cli/server.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

// Each instance gets its stop_grace_period, and levels of depends_on follow each other.
constexpr auto kDestroyTimeout = 10min;

void list(Server& server, bool json) {
  Json answer = server.get("/v1/apps");
  if (json) {
    std::fputs(answer.pretty().c_str(), stdout);
    return;
  }
  Table table({"APP", "SERVING", "READY"});
  for (const Json& app : answer.at("apps").items()) {
    table.row({app.at("name").string(), app.string_or("serving", "-"),
               fmt::format("{}/{}", app.integer_or("ready", 0), app.integer_or("instances", 0))});
  }
  std::fputs(table.text().c_str(), stdout);
}

void confirm(const std::string& app, bool yes) {
  if (yes) return;
  if (!isatty(0)) {
    throw Error(Error::invalid,
                fmt::format("destroying {} needs its name typed again, or -y without a terminal", app));
  }
  std::cerr << fmt::format("This stops and forgets {} with all its releases. Type its name again: ", app)
            << std::flush;
  std::string typed;
  std::getline(std::cin, typed);
  if (typed != app)
    throw Error(Error::invalid, fmt::format("'{}' is not '{}': nothing was destroyed", typed, app));
}

}  // namespace

int apps(Invocation& call) {
  std::optional<std::string> verb, name;
  bool json = false;
  Options options(call, "  holdall apps\n  holdall apps destroy shop");
  options.argument("destroy", verb, "stop and forget an app");
  options.argument("APP", name, "its name");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  Server server = server_of(call.globals);
  if (!verb) return list(server, json), 0;
  if (*verb != "destroy") {
    throw Error(Error::invalid, fmt::format("holdall apps: unknown word '{}'; there is: destroy", *verb));
  }
  if (!name) throw Error(Error::invalid, "holdall apps destroy: which one? see: holdall apps");
  server.get(fmt::format("/v1/apps/{}/status", wire::percent_encode(*name)));  // there is such an app
  confirm(*name, call.globals.yes);
  server.remove("/v1/apps/" + wire::percent_encode(*name), Deadline::after(kDestroyTimeout));
  Terminal(1, call.globals.ansi).line(fmt::format("{} is destroyed", *name));
  return 0;
}

}  // namespace holdall::cli
