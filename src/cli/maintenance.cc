#include <fmt/format.h>

#include "app/app.h"
#include "base/error.h"
#include "base/time.h"
#include "cli/options.h"
#include "cli/server.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

std::int64_t hold_ms(const std::optional<std::string>& written) {
  if (!written) return 0;
  const auto span = app::parse_duration(*written);
  if (!span || span->count() < 0) {
    throw Error(Error::invalid, fmt::format("--hold: '{}' is no duration; write 60s or 1m30s", *written));
  }
  return std::chrono::ceil<std::chrono::milliseconds>(*span).count();
}

}  // namespace

int maintenance(Invocation& call) {
  std::optional<std::string> word, hold;
  Options options(call,
                  "  holdall maintenance on\n  holdall maintenance on --hold 60s\n  holdall maintenance off");
  options.argument("on|off", word, "on: requests get a 503 page; off: they are served again");
  options.value("--hold", hold, "DURATION", "let requests wait so long for the end before they get the page");
  if (!options.parse()) return 0;
  if (!word || (*word != "on" && *word != "off")) {
    throw Error(Error::invalid, fmt::format("holdall maintenance: {}; there are: on, off",
                                            word ? "unknown word '" + *word + "'" : "on or off?"));
  }
  Json body = Json::object({{"on", *word == "on"}});
  if (*word == "on") body["hold_ms"] = hold_ms(hold);
  const Target target = target_of(call.globals);
  confirm_change(call.globals, target,
                 *word == "on" ? "answers its requests with a page" : "serves it again");
  std::deque<Server> servers = servers_at(target.hosts);
  const std::string path = fmt::format("/v1/apps/{}/maintenance", wire::percent_encode(target.app));
  const std::string said =
      *word == "off" ? target.app + " is served again"
                     : fmt::format("{} is in maintenance: {}; back with holdall maintenance off", target.app,
                                   hold ? "requests wait up to " + *hold + ", and then get a 503 page"
                                        : std::string("requests get a 503 page"));
  const Terminal out(1, call.globals.ansi);
  return on_each(servers, out, [&](Server& server) {
    server.post(path, body);
    out.line(said);
  });
}

}  // namespace holdall::cli
