#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "cli/options.h"
#include "cli/secret_input.h"
#include "cli/server.h"
#include "cli/subcommands.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

int add(Invocation& call);
int list(Invocation& call);
int remove(Invocation& call);
int show_log(Invocation& call);

constexpr std::array kWords{
    Command{"access add", "", "let somebody in, by an SSH key or a token", add},
    Command{"access list", "", "list who has access, and to what", list},
    Command{"access remove", "", "take somebody's access away", remove},
    Command{"access log", "", "show who changed what, and who was denied what", show_log},
};

std::string joined(const Json& texts, const std::string& none) {
  std::vector<std::string> all;
  for (const Json& text : texts.items()) all.push_back(text.string());
  return all.empty() ? none : fmt::format("{}", fmt::join(all, ", "));
}

/// "30d", "12h", "90m" in seconds.
std::int64_t seconds_of(const std::string& span) {
  std::int64_t count = 0;
  auto [end, error] = std::from_chars(span.data(), span.data() + span.size(), count);
  std::string_view unit(end, span.data() + span.size());
  constexpr std::int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour, kMost = 3650;
  std::int64_t factor = unit == "d" ? kDay : unit == "h" ? kHour : unit == "m" ? kMinute : 0;
  if (error == std::errc() && factor && count > 0 && count <= kMost * kDay / factor) return count * factor;
  throw Error(Error::invalid, fmt::format("--expires: '{}' is no span; write 30d, 12h or 90m", span));
}

/// What is said of a person in one line: "alice may deploy shop, shop-staging".
std::string rights_of(const Json& person) {
  return fmt::format("{} has the role {} for {}", person.at("name").string(), person.at("role").string(),
                     joined(person.at("apps"), "every app and the server"));
}

/// A token is the answer itself, on a line of its own, so that `> FILE` keeps it and nothing else.
void tell_token(const Json& answer, const Terminal& errors) {
  errors.line(rights_of(answer.at("person")));
  errors.line("the token, which is shown this once; keep it in a file that HOLDALL_TOKEN_FILE names:");
  std::fputs((answer.at("token").string() + "\n").c_str(), stdout);
}

int add(Invocation& call) {
  std::optional<std::string> name, key, expires;
  std::string role;
  std::vector<std::string> apps;
  bool token = false, json = false;
  Options options(call,
                  "  holdall access add alice --key alice.pub --role deploy\n"
                  "  holdall access add bob --key - --role read --app shop < bob.pub\n"
                  "  holdall access add ci --token --role deploy --app shop --expires 90d > ci.token");
  options.argument("NAME", name, "whom: letters, digits and ._@-", true);
  options.value("--key", key, "FILE", "their SSH public key, several if it has several lines (- is stdin)");
  options.flag("--token", token, "make a token for the TLS listener, and print it once");
  options.choice("--role", role, {"read", "run", "deploy", "admin"},
                 "what they may do; each holds those before");
  options.values("--app", apps, "APP", "this app only; may be repeated. Without: every app, and the server");
  options.value("--expires", expires, "SPAN", "how long a token is good: 30d, 12h");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  if (role.empty())
    throw Error(Error::invalid, "holdall access add: which --role? read, run, deploy or admin");
  if (token == key.has_value())
    throw Error(Error::invalid, "holdall access add: either --key FILE or --token");
  if (expires && !token) throw Error(Error::invalid, "holdall access add: only a token expires");

  Json body = Json::object({{"name", *name}, {"role", role}, {"apps", Json::array()}});
  for (const std::string& app : apps) body["apps"].add(app);
  if (token) body["token"] = true;
  if (expires) body["expires_s"] = seconds_of(*expires);
  if (key) body["keys"] = *key == "-" ? std::string(read_key_text("-").view()) : read_file(*key);
  Json answer = server_of(call.globals).post("/v1/access", body);
  if (json) return std::fputs(answer.pretty().c_str(), stdout), 0;
  if (answer.find("token")) return tell_token(answer, Terminal(2, call.globals.ansi)), 0;
  Terminal(1, call.globals.ansi).line(rights_of(answer.at("person")));
  return 0;
}

int list(Invocation& call) {
  bool json = false;
  Options options(call, "  holdall access list");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  Json answer = server_of(call.globals).get("/v1/access");
  if (json) return std::fputs(answer.pretty().c_str(), stdout), 0;
  Table table({"NAME", "ROLE", "APPS", "BY", "ADDED", "ADDED BY"});
  for (const Json& person : answer.at("people").items()) {
    std::string by = joined(person.at("keys"), "token");
    std::string expires = person.string_or("expires", "");
    if (!expires.empty()) by += " until " + expires;
    table.row({person.at("name").string(), person.at("role").string(), joined(person.at("apps"), "all"), by,
               person.at("created").string(), person.at("by").string()});
  }
  std::fputs(table.text().c_str(), stdout);
  return 0;
}

int remove(Invocation& call) {
  std::optional<std::string> name;
  Options options(call, "  holdall access remove alice");
  options.argument("NAME", name, "whom", true);
  if (!options.parse()) return 0;
  server_of(call.globals)
      .remove("/v1/access/" + wire::percent_encode(*name), Deadline::after(std::chrono::minutes(1)));
  Terminal(1, call.globals.ansi).line(fmt::format("{} has no access any more", *name));
  return 0;
}

std::string result_of(const Json& call) {
  const Json* status = call.find("status");
  std::string text = status && status->is_int() ? std::to_string(status->integer()) : "not known";
  if (call.at("denied").boolean()) text += " denied";
  std::int64_t count = call.integer_or("count", 1);
  return count > 1 ? fmt::format("{} x{}", text, count) : text;
}

int show_log(Invocation& call) {
  std::optional<std::string> app;
  std::optional<int> count;
  bool json = false;
  Options options(call, "  holdall access log --app shop\n  holdall access log -n 1000 --json");
  options.value("--app", app, "APP", "what was done to this app");
  options.number("-n,--tail", count, "COUNT", "the newest so many; 50 if left out");
  options.flag("--json", json, "print a JSON object");
  if (!options.parse()) return 0;
  std::string target = fmt::format("/v1/access/log?n={}", count.value_or(50));
  if (app) target += "&app=" + wire::percent_encode(*app);
  Json answer = server_of(call.globals).get(target);
  if (json) return std::fputs(answer.pretty().c_str(), stdout), 0;
  Table table({"TIME", "WHO", "APP", "CALL", "RESULT"});
  const Json::Array& calls = answer.at("calls").items();
  for (auto one = calls.rbegin(); one != calls.rend(); ++one) {  // the newest last, as in a log
    std::string what = fmt::format("{} {}", one->at("method").string(), one->at("path").string());
    if (std::string program = one->string_or("program", ""); !program.empty()) what += ": " + program;
    table.row({one->at("time").string(), one->at("who").string(), one->string_or("app", ""), std::move(what),
               result_of(*one)});
  }
  std::fputs(table.text().c_str(), stdout);
  return 0;
}

}  // namespace

int access(Invocation& call) {
  return run_word(call, {kWords,
                         "  holdall access add alice --key alice.pub --role deploy --app shop\n"
                         "  holdall access list\n"
                         "  holdall access log"});
}

}  // namespace holdall::cli
