#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "cli/options.h"
#include "cli/watching.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

/// "name=web.1, reason=exited with code 3": what is known beside the action.
std::string attributes(const Json& event) {
  std::string text;
  auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  };
  if (event.at("type").string() == "instance") {
    add("name", instance_name(event));
    add("reason", event.string_or("reason", ""));
    return text;
  }
  for (const auto& [name, value] : event.at("data").members()) {
    // What is more than a word is for --json.
    if (value.is_string()) add(name, value.string());
    if (value.is_int()) add(name, fmt::format("{}", value.integer()));
  }
  return text;
}

/// "2026-11-21 18:01:03.615550 instance ready 4f2a... (name=web.1)": as Compose writes events.
std::string line_of(const Json& event) {
  constexpr std::int64_t kMicrosecond = 1'000, kInSecond = 1'000'000;
  constexpr std::size_t kToSeconds = std::string_view("2026-11-21T18:01:03").size();
  std::int64_t micros = event.at("time_ns").integer() / kMicrosecond % kInSecond;
  std::string time = event.at("time").string().substr(0, kToSeconds);
  std::ranges::replace(time, 'T', ' ');
  bool instance = event.at("type").string() == "instance";
  std::string more = attributes(event);
  return fmt::format("{}.{:06} {} {} {}{}", time, micros, event.at("type").string(),
                     event.at("action").string(), event.at(instance ? "id" : "release").string(),
                     more.empty() ? "" : " (" + more + ")");
}

}  // namespace

int events(Invocation& call) {
  std::vector<std::string> services;
  std::optional<std::string> since;
  bool json = false, once = false;
  Options options(call,
                  "  holdall events --on production\n"
                  "  holdall events --since 1h --no-follow --json web");
  options.arguments("SERVICE", services, "what befalls these; releases are told too where none is named");
  options.value(
      "--since", since, "TIME",
      "from this time on: 10m, 2h, 2026-11-21T18:01:03Z (UTC, as is what is printed); else from now");
  options.flag("--no-follow", once, "end with what there is");
  options.flag("--json", json, "print a JSON object a line");
  if (!options.parse()) return 0;
  std::string query = once ? "follow=0" : "follow=1";
  if (since) query += fmt::format("&since_ns={}", nanoseconds(parse_instant(*since, system_clock().wall())));
  Stack stack = running_stack(call.globals);
  const std::string target = fmt::format("/v1/apps/{}/events?{}", wire::percent_encode(stack.app), query);
  Terminal out(1, call.globals.ansi);
  stack.server->events(
      "GET", [&] { return target; }, !once,
      [&](const Server::Event& event) {
        if (event.name != "event") return true;
        bool wanted = services.empty() ||
                      std::ranges::find(services, event.data.string_or("service", "")) != services.end();
        if (wanted) out.line(json ? event.data.print() : line_of(event.data));
        return true;
      });
  return 0;
}

}  // namespace holdall::cli
