// restart, stop, start and kill: what Compose's words of that name do to services that run already.

#include <fmt/format.h>

#include "base/error.h"
#include "base/id.h"
#include "cli/development.h"
#include "cli/options.h"
#include "cli/rollout.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

Json strings(const std::vector<std::string>& words) {
  Json list = Json::array();
  for (const std::string& word : words) list.add(word);
  return list;
}

Json about(const std::vector<std::string>& services) {
  return Json::object({{"services", strings(services)}});
}

Json with_timeout(const std::vector<std::string>& services, const std::optional<int>& seconds) {
  Json body = about(services);
  if (seconds && *seconds < 0) throw Error(Error::invalid, "--timeout: a number of seconds is not negative");
  if (seconds) body["timeout_ms"] = std::int64_t{*seconds} * 1000;
  return body;
}

Stack running_stack(const Globals& globals) {
  Stack stack = find_stack(globals);
  if (!stack.server)
    throw Error(Error::missing, fmt::format("{} does not run here: holdall up -d", stack.app));
  return stack;
}

/// Whether the caller says that it means a server; no variable changes that.
bool on_server(const Globals& globals) { return globals.host || globals.environment; }

/// The private server's own; a development verb touches nothing else.
Stack development_stack(const Globals& globals, std::string_view verb) {
  if (on_server(globals)) {
    throw Error(Error::invalid,
                fmt::format("holdall {} acts on this machine's development stack alone; on a server: "
                            "holdall scale SERVICE=0, or holdall maintenance on",
                            verb));
  }
  return running_stack(globals);
}

std::string path(const Stack& stack, std::string_view verb) {
  return fmt::format("/v1/apps/{}/{}", wire::percent_encode(stack.app), verb);
}

std::string what(const std::vector<std::string>& services, const std::string& app) {
  return services.empty() ? app : fmt::format("{}", fmt::join(services, ", "));
}

}  // namespace

int restart(Invocation& call) {
  RolloutOptions how;
  std::vector<std::string> services;
  std::optional<int> timeout;
  Options options(call, "  holdall restart web\n  holdall restart -H ssh://deploy@203.0.113.7 web");
  options.arguments("SERVICE", services, "only these");
  options.number("-t,--timeout", timeout, "SECONDS", "on this machine: kill what has not stopped by then");
  options.flag("--detach", how.detach, "on a server: return once the release has begun");
  options.flag("--wait", how.wait, "on a server: wait for a release in progress to end first");
  options.flag("--json", how.json, "on a server: print the release as a JSON object when it has ended");
  if (!options.parse()) return 0;
  if (on_server(call.globals)) {
    const Target target = target_of(call.globals);
    confirm_change(call.globals, target, "starts its instances anew");
    std::deque<Server> servers = servers_at(target.hosts);
    const std::string path = fmt::format("/v1/apps/{}/restart", wire::percent_encode(target.app));
    return roll_out(call, target.app, servers, how,
                    [&](Server& server) { return server.post(path, about(services), random_id()); });
  }
  Stack stack = running_stack(call.globals);
  stack.server->post(path(stack, "stop"), with_timeout(services, timeout));
  stack.server->post(path(stack, "start"), about(services));
  Terminal(1, call.globals.ansi).line(fmt::format("restarted {}", what(services, stack.app)));
  return 0;
}

int stop(Invocation& call) {
  std::vector<std::string> services;
  std::optional<int> timeout;
  Options options(call, "  holdall stop\n  holdall stop -t 3 web");
  options.arguments("SERVICE", services, "only these");
  options.number("-t,--timeout", timeout, "SECONDS", "kill what has not stopped by then");
  if (!options.parse()) return 0;
  Stack stack = development_stack(call.globals, "stop");
  stack.server->post(path(stack, "stop"), with_timeout(services, timeout));
  Terminal(1, call.globals.ansi).line(fmt::format("stopped {}", what(services, stack.app)));
  return 0;
}

int start(Invocation& call) {
  std::vector<std::string> services;
  Options options(call, "  holdall start\n  holdall start web");
  options.arguments("SERVICE", services, "only these");
  if (!options.parse()) return 0;
  Stack stack = development_stack(call.globals, "start");
  stack.server->post(path(stack, "start"), about(services));
  Terminal(1, call.globals.ansi).line(fmt::format("started {}", what(services, stack.app)));
  return 0;
}

int kill(Invocation& call) {
  std::vector<std::string> services;
  std::optional<std::string> signal;
  Options options(call, "  holdall kill -s SIGHUP web");
  options.arguments("SERVICE", services, "only these");
  options.value("-s,--signal", signal, "SIGNAL",
                "SIGKILL if it is not given; what ends is started again if `restart` says so");
  if (!options.parse()) return 0;
  Stack stack = running_stack(call.globals);
  Json body = about(services);
  body["signal"] = signal.value_or("SIGKILL");
  const Json answer = stack.server->post(path(stack, "kill"), body);
  Terminal out(1, call.globals.ansi);
  for (const Json& instance : answer.at("instances").items())
    out.line(fmt::format("{} to {}", body.at("signal").string(), instance.string()));
  return 0;
}

}  // namespace holdall::cli
