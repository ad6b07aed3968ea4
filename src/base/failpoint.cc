#include "base/failpoint.h"

#ifdef HOLDALL_FAILPOINTS

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/fd.h"

namespace holdall {

void failpoint(const char* name) {
  static const char* path = std::getenv("HOLDALL_FAILPOINTS");
  sockaddr_un address{};
  if (!path || std::strlen(path) >= sizeof address.sun_path) return;
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path);
  if (!socket || connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return;
  std::string line = fmt::format("{} {}\n", name, getpid());
  if (send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) return;
  char answer = 0;
  while (answer != '\n') {
    ssize_t got = recv(socket.get(), &answer, 1, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
  }
}

}  // namespace holdall

#endif
