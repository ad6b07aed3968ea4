#include "engine/shim/failpoint.h"

#ifdef HOLDALL_FAILPOINTS

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace holdall::engine {

void shim_failpoint(const char* name) {
  const char* path = getenv("HOLDALL_SHIM_FAILPOINTS");
  if (!path) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(to, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    char line[128];
    int length = std::snprintf(line, sizeof line, "%s %d\n", name, getpid());
    char answer;
    if (send(to, line, static_cast<std::size_t>(length), MSG_NOSIGNAL) == length) {
      while (read(to, &answer, 1) == 1 && answer != '\n') {
      }
    }
  }
  close(to);
}

}  // namespace holdall::engine

#endif
