#include "base/error.h"
#include "cli/development.h"
#include "cli/log_printer.h"
#include "cli/options.h"

namespace holdall::cli {

int logs(Invocation& call) {
  LogOptions wanted;
  bool no_prefix = false;
  Options options(call, "  holdall logs -f web\n  holdall logs -n 100 -H unix:///run/holdall/api.sock");
  options.arguments("SERVICE", wanted.services, "only these");
  options.flag("-f,--follow", wanted.follow, "go on with what comes");
  options.number("-n,--tail", wanted.tail, "LINES", "the last lines of each instance only");
  options.flag("--no-log-prefix", no_prefix, "print the lines alone");
  if (!options.parse()) return 0;
  Stack stack = find_stack(call.globals);
  if (!stack.server) {
    throw Error(Error::missing, "nothing runs here: start it with `holdall up`, or name a server with -H");
  }
  wanted.app = stack.app;
  wanted.prefix = !no_prefix;
  print_logs(*stack.server, wanted, Terminal(1, call.globals.ansi));
  return 0;
}

}  // namespace holdall::cli
