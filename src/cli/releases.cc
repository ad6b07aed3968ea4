#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "cli/app_name.h"
#include "cli/options.h"
#include "cli/release_view.h"
#include "cli/server.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

std::string state_of(const Json& release) {
  if (release.boolean_or("serving", false)) return "serving";
  // `live` is the last step of a release that came through, whether it serves still or not.
  const std::string& step = release.at("step").string();
  return step == "live" ? "replaced" : step;
}

/// "2026-11-21 00:27:06", UTC.
std::string instant(const Json& release, std::string_view key) {
  std::string time = release.string_or(key, "").substr(0, 19);
  if (time.size() == 19) time[10] = ' ';
  return time;
}

/// "0 failed of 1024"; empty while unknown.
std::string requests(const Json& release) {
  const Json* report = release.find("report");
  const Json* requests = report ? report->find("requests") : nullptr;
  if (!requests) return "";
  if (requests->find("unknown")) return "unknown";
  return fmt::format("{} failed of {}", requests->integer_or("failed", 0),
                     requests->integer_or("served", 0) + requests->integer_or("failed", 0));
}

std::string note(const Json& release) {
  std::string back = release.string_or("rollback_of", "");
  if (!back.empty()) return "rollback to " + back;
  return release.string_or("reason", "");
}

void print_list(const Json& releases) {
  Table table({"RELEASE", "STATE", "CREATED", "COMMIT", "BY", "REQUESTS", "NOTE"});
  for (const Json& release : releases.items()) {
    table.row({release.at("release").string(), state_of(release), instant(release, "created"),
               release.string_or("commit", ""), release.string_or("by", ""), requests(release),
               note(release)});
  }
  std::fputs(table.text().c_str(), stdout);
}

void print_one(const Json& release, const Terminal& out) {
  out.line(out.paint(Colour::bold,
                     fmt::format("{} {}", release.at("app").string(), release.at("release").string())));
  auto line = [&](std::string_view word, const std::string& text) {
    if (!text.empty()) out.line(fmt::format("  {:<10}{}", word, text));
  };
  line("state", state_of(release));
  line("reason", release.string_or("reason", ""));
  line("rollback", release.string_or("rollback_of", ""));
  line("commit", release.string_or("commit", ""));
  line("by", release.string_or("by", ""));
  line("created", instant(release, "created"));
  line("finished", instant(release, "finished"));
  if (const Json* report = release.find("report")) {
    for (const std::string& text : report_lines(*report)) out.line(text);
  }
}

}  // namespace

int releases(Invocation& call) {
  bool json = false;
  std::optional<std::string> verb, which;
  Options options(call, "  holdall releases\n  holdall releases show v3");
  options.argument("show", verb, "show one release with its report");
  options.argument("RELEASE", which, "the release to show; else the newest");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  if (verb && *verb != "show") {
    throw Error(Error::invalid, fmt::format("holdall releases: unknown word '{}'; there is: show", *verb));
  }
  const Target target = target_of(call.globals);
  const std::string path = fmt::format("/v1/apps/{}/releases", wire::percent_encode(target.app));
  std::deque<Server> servers = servers_at(target.hosts);
  auto ask = [&](Server& server) {
    if (which) return server.get(fmt::format("{}/{}", path, parse_version(*which)));
    Json answer = server.get(path);
    if (!verb) return answer;
    const Json::Array& all = answer.at("releases").items();
    if (all.empty()) throw Error(Error::missing, "there is no release yet");
    return server.get(fmt::format("{}/{}", path, all.front().at("number").integer()));
  };
  Terminal out(1, call.globals.ansi);
  if (json) {
    std::fputs(ask_each(servers, ask).pretty().c_str(), stdout);
    return 0;
  }
  return on_each(servers, out, [&](Server& server) {
    const Json answer = ask(server);
    if (verb) {
      print_one(answer.at("release"), out);
    } else {
      print_list(answer.at("releases"));
    }
  });
}

}  // namespace holdall::cli
