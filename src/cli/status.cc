#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "cli/app_name.h"
#include "cli/instances_view.h"
#include "cli/options.h"
#include "cli/server.h"
#include "cli/target.h"
#include "cli/terminal.h"

namespace holdall::cli {
namespace {

std::string release_text(const Json* release, std::string_view none) {
  if (!release || release->is_null()) return std::string(none);
  std::string text = release->at("release").string();
  std::string commit = release->string_or("commit", "");
  if (!commit.empty()) text += " (" + commit + ")";
  return text + "   by " + release->string_or("by", "");
}

void print_app(const Json& status, const Terminal& out) {
  out.line(out.paint(Colour::bold, status.at("app").string()));
  out.line("  serving   " + release_text(status.find("serving"), "nothing yet"));
  const Json* moving = status.find("moving");
  if (moving && !moving->is_null()) {
    out.line(fmt::format("  moving    {}   step {}", release_text(moving, ""), moving->at("step").string()));
  }
  for (const Json& url : status.at("urls").items()) out.line("  url       " + url.string());
  if (const Json* off = status.find("maintenance"); off && !off->is_null()) {
    out.line(fmt::format(
        "  {}", out.paint(Colour::red, fmt::format("maintenance since {} by {}", off->at("since").string(),
                                                   off->at("by").string()))));
  }
  if (const Json* scaled = status.find("scaled")) {
    for (const Json& one : scaled->items()) out.line("  scaled    " + one.string());
  }
  for (const Json& problem : status.at("problems").items()) {
    out.line("  problem   " + out.paint(Colour::red, problem.string()));
  }
  out.line("");
  std::fputs(instances_table(parse_instances(status), "").c_str(), stdout);
}

void print_server(const Json& server, const Terminal& out) {
  auto line = [&](std::string_view word, const std::string& text) {
    out.line(fmt::format("{:<10}{}", word, text));
  };
  auto pid = [&](const char* process) {
    const Json* found = server.find(process);
    return found ? fmt::format("pid {}", found->integer_or("pid", 0)) : std::string();
  };
  line("version", server.at("version").string());
  line("engine", server.at("engine").string());
  line("router", fmt::format("{}   {}", server.at("router").at("http").string(), pid("router")));
  line("control", pid("control"));
  line("serve", pid("serve"));
  line("state", server.at("state").string());
  if (const Json* tls = server.find("api_tls"))
    line("tokens",
         fmt::format("https at {}   {}", tls->at("address").string(), tls->at("fingerprint").string()));
  const Json* upgrade = server.find("upgrade");
  if (!upgrade) return;
  std::string at = upgrade->string_or("at", "");
  if (upgrade->string_or("result", "") == "done") {
    line("upgraded",
         fmt::format("{} -> {}   at {}", upgrade->string_or("from", ""), upgrade->string_or("to", ""), at));
  } else {
    line("upgrade",
         out.paint(Colour::red, fmt::format("failed at {}: {}", at, upgrade->string_or("reason", ""))));
  }
}

}  // namespace

int status(Invocation& call) {
  bool json = false, server_only = false;
  Options options(call, "  holdall status\n  holdall status --server");
  options.flag("--server", server_only, "the server itself: version, engine, router");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  std::deque<Server> servers =
      servers_at(server_only ? hosts_of(call.globals) : target_of(call.globals).hosts);
  const std::string path =
      server_only ? "/v1/server"
                  : fmt::format("/v1/apps/{}/status", wire::percent_encode(app_name(call.globals)));
  auto ask = [&](Server& server) { return server.get(path); };
  Terminal out(1, call.globals.ansi);
  if (json) {
    std::fputs(ask_each(servers, ask).pretty().c_str(), stdout);
    return 0;
  }
  return on_each(servers, out, [&](Server& server) {
    const Json answer = ask(server);
    if (server_only) {
      print_server(answer, out);
    } else {
      print_app(answer, out);
    }
  });
}

}  // namespace holdall::cli
