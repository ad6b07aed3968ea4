#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "base/error.h"
#include "cli/options.h"
#include "cli/server.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

// Each instance gets its stop_grace_period, and levels of depends_on follow each other.
constexpr auto kDestroyTimeout = 10min;

std::string table(const Json& apps) {
  Table table({"APP", "SERVING", "READY"});
  for (const Json& app : apps.items()) {
    table.row({app.at("name").string(), app.string_or("serving", "-"),
               fmt::format("{}/{}", app.integer_or("ready", 0), app.integer_or("instances", 0))});
  }
  return table.text();
}

int list(std::deque<Server>& servers, bool json, const Terminal& out) {
  auto ask = [](Server& server) { return server.get("/v1/apps"); };
  if (json) {
    std::fputs(ask_each(servers, ask).pretty().c_str(), stdout);
    return 0;
  }
  return on_each(servers, out,
                 [&](Server& server) { std::fputs(table(ask(server).at("apps")).c_str(), stdout); });
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
  std::deque<Server> servers = servers_at(hosts_of(call.globals));
  Terminal out(1, call.globals.ansi);
  if (!verb) return list(servers, json, out);
  if (*verb != "destroy") {
    throw Error(Error::invalid, fmt::format("holdall apps: unknown word '{}'; there is: destroy", *verb));
  }
  if (!name) throw Error(Error::invalid, "holdall apps destroy: which one? see: holdall apps");
  const std::string path = "/v1/apps/" + wire::percent_encode(*name);
  for (Server& server : servers) server.get(path + "/status");  // there is such an app
  confirm(*name, call.globals.yes);
  return on_each(servers, out, [&](Server& server) {
    server.remove(path, Deadline::after(kDestroyTimeout));
    out.line(fmt::format("{} is destroyed", *name));
  });
}

}  // namespace holdall::cli
