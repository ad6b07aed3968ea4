#include "cli/development.h"
#include "cli/options.h"
#include "cli/project.h"

namespace holdall::cli {

int down(Invocation& call) {
  Options options(call, "  holdall down");
  if (!options.parse()) return 0;
  PrivatePlace place = private_place(project_directory(call.globals));
  // A server that was killed left instances: another one stops them.
  if (is_gone(place) && std::filesystem::exists(place.run)) start_private_server(place);
  stop_private_server(place, Terminal(1, call.globals.ansi));
  return 0;
}

}  // namespace holdall::cli
