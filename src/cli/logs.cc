#include <atomic>
#include <latch>

#include "base/error.h"
#include "base/tasks.h"
#include "cli/development.h"
#include "cli/log_printer.h"
#include "cli/options.h"

namespace holdall::cli {
namespace {

/// All at once, each line with its host before it: a host that is followed has no end.
int print_all(std::deque<Server>& servers, const LogOptions& wanted, const Terminal& out) {
  std::atomic<bool> failed = false;
  std::latch ended(static_cast<std::ptrdiff_t>(servers.size()));
  TaskGroup tasks;
  for (Server& server : servers) {
    tasks.start("logs of " + server.name(), [&](const std::stop_token&) {
      LogOptions own = wanted;
      own.host = server.name();
      try {
        print_logs(server, own, out);
      } catch (const Error& error) {
        out.line(out.paint(Colour::red, "error: ") + error.what());
        failed = true;
      }
      ended.count_down();
    });
  }
  ended.wait();
  return failed ? exit_code(Error::failed) : 0;
}

}  // namespace

int logs(Invocation& call) {
  LogOptions wanted;
  bool no_prefix = false;
  Options options(call, "  holdall logs -f web\n  holdall logs -n 100 --on production");
  options.arguments("SERVICE", wanted.services, "only these");
  options.flag("-f,--follow", wanted.follow, "go on with what comes");
  options.number("-n,--tail", wanted.tail, "LINES", "the last lines of each instance only");
  options.flag("--no-log-prefix", no_prefix, "print the lines alone");
  if (!options.parse()) return 0;
  Stack stack = find_stacks(call.globals);
  if (stack.servers.empty()) {
    throw Error(Error::missing,
                "nothing runs here: start it with `holdall up`, or name a server with --on or -H");
  }
  wanted.app = stack.app;
  wanted.prefix = !no_prefix;
  Terminal out(1, call.globals.ansi);
  if (stack.servers.size() == 1) return print_logs(stack.servers.front(), wanted, out), 0;
  return print_all(stack.servers, wanted, out);
}

}  // namespace holdall::cli
