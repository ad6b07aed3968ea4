#include <fmt/format.h>

#include "base/error.h"
#include "cli/attached.h"
#include "cli/development.h"

namespace holdall::cli {
namespace {

int exec_in(Invocation& call) {
  ProgramOptions wanted;
  std::optional<int> index;
  Options options(call,
                  "  holdall exec web sh\n"
                  "  holdall exec --on production web flask shell\n"
                  "  pg_dump shop | holdall exec -T db psql restored");
  options.program("SERVICE", wanted.request.service, "in which service's instance", "COMMAND",
                  wanted.request.command, "the program, and what it is given");
  wanted.define(options);
  options.number("--index", index, "N", "in instance N; else in the first that runs");
  if (!options.parse()) return 0;
  wanted.take();
  wanted.request.index = index.value_or(0);
  if (wanted.request.command.empty())
    throw Error(Error::invalid, fmt::format("holdall exec {}: which program?", wanted.request.service));
  Stack stack = find_stack(call.globals);
  if (!stack.server) {
    throw Error(Error::missing,
                "nothing runs here: start it with `holdall up`, or name an environment with --on");
  }
  const std::string target = fmt::format("/v1/apps/{}/exec", wire::percent_encode(stack.app));
  if (!wanted.request.detach) return attend(*stack.server, target, wanted.request);
  stack.server->post(target, wire::to_json(wanted.request));
  return 0;
}

}  // namespace

int exec(Invocation& call) {
  return program_code(call, [&] { return exec_in(call); });
}

}  // namespace holdall::cli
