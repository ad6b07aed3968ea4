#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "base/subprocess.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "cli/watching.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

// It hands the address to a browser that runs, or starts one, and returns.
constexpr auto kOpenTimeout = 20s;

/// False where there is nothing to show it with.
bool show(const std::string& url) {
  auto variables = environment();
  if (!variables.contains("DISPLAY") && !variables.contains("WAYLAND_DISPLAY")) return false;
  try {
    return holdall::run({.argv = {"xdg-open", url}, .environment = variables}, Deadline::after(kOpenTimeout))
        .exit.ok();
  } catch (const Error&) {
    return false;  // it is not installed
  }
}

}  // namespace

int open_app(Invocation& call) {
  bool print = false;
  Options options(call, "  holdall open\n  holdall open --on production");
  options.flag("--print", print, "print the address only, as where there is no display");
  if (!options.parse()) return 0;
  Stack stack = running_stack(call.globals);
  const Json status = stack.server->get(fmt::format("/v1/apps/{}/status", wire::percent_encode(stack.app)));
  const Json::Array& urls = status.at("urls").items();
  if (urls.empty()) {
    throw Error(Error::missing,
                fmt::format("{} has no address: give a service a `route:`, or publish a port", stack.app));
  }
  // It is printed in any case: the browser may be on another screen.
  std::puts(urls.front().string().c_str());
  if (!print) show(urls.front().string());
  return 0;
}

}  // namespace holdall::cli
