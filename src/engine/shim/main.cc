#include <cstring>

#include "engine/shim/attend.h"
#include "engine/shim/enter.h"
#include "engine/shim/shim.h"

// What follows the first word is for people who look at `ps`.
int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "run") == 0) return holdall::engine::run_instance();
  if (argc > 1 && std::strcmp(argv[1], "enter") == 0) return holdall::engine::enter();
  if (argc > 1 && std::strcmp(argv[1], "attach") == 0) return holdall::engine::attach();
  if (argc > 1 && std::strcmp(argv[1], "leave") == 0) return holdall::engine::leave();
  if (argc > 1 && std::strcmp(argv[1], "once") == 0) return holdall::engine::once();
  return 2;
}
