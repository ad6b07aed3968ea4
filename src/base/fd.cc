#include "base/fd.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/error.h"

namespace holdall {

void Fd::reset() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

Fd Fd::duplicate() const { return Fd(checked(fcntl(fd_, F_DUPFD_CLOEXEC, 3), "duplicate a descriptor")); }

int checked(int result, std::string_view doing) {
  if (result < 0) throw_errno(Error::broken, doing, errno);
  return result;
}

Pipe make_pipe(int flags) {
  int ends[2];
  checked(pipe2(ends, flags | O_CLOEXEC), "make a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd make_event() { return Fd(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make an eventfd")); }

void poke(const Fd& event) {
  std::uint64_t one = 1;
  // A full counter is as good as a poke, so the result does not matter.
  [[maybe_unused]] auto written = write(event.get(), &one, sizeof one);
}

void clear(const Fd& event) {
  std::uint64_t count;
  [[maybe_unused]] auto got = read(event.get(), &count, sizeof count);
}

}  // namespace holdall
