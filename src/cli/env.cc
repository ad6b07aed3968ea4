#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/id.h"
#include "cli/options.h"
#include "cli/rollout.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

void print(const Json& answer, const Terminal& out) {
  for (const auto& [service, seen] : answer.at("services").members()) {
    std::size_t widest = 0;
    for (const Json& one : seen.items()) widest = std::max(widest, one.at("name").string().size());
    out.line(out.paint(Colour::bold, service));
    for (const Json& one : seen.items()) {
      const Json& value = one.at("value");
      out.line(fmt::format("  {:<{}}  {}   {}", one.at("name").string(), widest,
                           value.is_null() ? "(secret)" : value.string(),
                           out.paint(Colour::dim, one.at("origin").string())));
    }
  }
  const Json& set = answer.at("set");
  if (set.items().empty()) return;
  out.line(out.paint(Colour::bold, "set on the server"));
  for (const Json& one : set.items()) {
    out.line(fmt::format(
        "  {}={}   {}", one.at("name").string(), one.at("value").string(),
        out.paint(Colour::dim, fmt::format("by {} at {}", one.at("by").string(), one.at("since").string()))));
  }
}

/// {"set": {...}, "unset": [...]} of the words after `set` or `unset`. No word enters a message: it may be
/// meant as a secret.
Json change(bool sets, const std::vector<std::string>& words) {
  Json set = Json::object(), unset = Json::array();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (sets && (equals == 0 || equals == std::string::npos))
      throw Error(Error::invalid, "holdall env set: a word is no NAME=VALUE");
    if (!sets && equals != std::string::npos)
      throw Error(Error::invalid, "holdall env unset: write names alone, without '='");
    if (sets) {
      set[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
      unset.add(word);
    }
  }
  if (words.empty())
    throw Error(Error::invalid, fmt::format("holdall env {}: which variables?", sets ? "set" : "unset"));
  return Json::object({{"set", std::move(set)}, {"unset", std::move(unset)}});
}

}  // namespace

int env(Invocation& call) {
  RolloutOptions how;
  std::optional<std::string> verb;
  std::vector<std::string> words;
  Options options(call, "  holdall env\n  holdall env set MOOD=green LIMIT=20\n  holdall env unset MOOD");
  options.argument("set|unset", verb, "change variables, which is a release; else they are listed");
  options.arguments("NAME=VALUE", words,
                    "the variables, which ${NAME} in environment of the file stands for");
  options.flag("--detach", how.detach, "return once the release has begun");
  options.flag("--wait", how.wait, "wait for a release in progress to end first");
  options.flag("--json", how.json, "print a JSON object");
  if (!options.parse()) return 0;
  if (verb && *verb != "set" && *verb != "unset" && *verb != "list")
    throw Error(Error::invalid,
                fmt::format("holdall env: unknown word '{}'; there are: list, set, unset", *verb));
  const bool changes = verb && *verb != "list";
  const Json body = changes ? change(*verb == "set", words) : Json();
  const Target target = target_of(call.globals);
  const std::string path = fmt::format("/v1/apps/{}/env", wire::percent_encode(target.app));
  const Terminal out(1, call.globals.ansi), errors(2, call.globals.ansi);
  if (changes) confirm_change(call.globals, target, *verb + "s variables");
  std::deque<Server> servers = servers_at(target.hosts);
  if (!changes) {
    const auto ask = [&](Server& server) { return server.get(path); };
    if (!how.json) return on_each(servers, out, [&](Server& server) { print(ask(server), out); });
    std::fputs(ask_each(servers, ask).pretty().c_str(), stdout);
    return 0;
  }
  return roll_out(call, target.app, servers, how, [&](Server& server) {
    Json answer = server.post(path, body, random_id());
    // Every server has the same file: the first one's word is enough.
    const bool first = &server == &servers.front();
    for (const Json& name : first ? answer.at("unused").items() : std::vector<Json>()) {
      errors.line(
          fmt::format("{} is kept, and no value of environment refers to it: write ${{{}}} in the file",
                      name.string(), name.string()));
    }
    return answer;
  });
}

}  // namespace holdall::cli
