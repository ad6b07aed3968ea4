#include "serve/passing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

namespace holdall::serve {

Json pass(const Fd& fd) {
  checked(fcntl(fd.get(), F_SETFD, 0), "pass a descriptor");
  return fd.get();
}

Fd take(const Json& number) {
  auto fd = static_cast<int>(number.integer());
  if (fd > STDERR_FILENO && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) return Fd(fd);
  throw Error(Error::invalid, fmt::format("descriptor {} was not handed over", fd));
}

void pass_nothing() {
  unsigned first = STDERR_FILENO + 1;
  checked(static_cast<int>(syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC)), "keep descriptors");
}

}  // namespace holdall::serve
