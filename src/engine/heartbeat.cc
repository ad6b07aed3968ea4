#include "engine/heartbeat.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "base/files.h"

namespace holdall::engine {
namespace {

/// -1 once it has ended and was reaped.
int pid_of(const Fd& process) {
  const std::string info = read_file(fmt::format("/proc/self/fdinfo/{}", process.get()));
  const std::size_t at = info.find("Pid:");
  int pid = -1;
  if (at != std::string::npos) std::sscanf(info.c_str() + at, "Pid: %d", &pid);
  return pid;
}

Fd root_of(const Fd* process) {
  std::string path = process ? fmt::format("/proc/{}/root", pid_of(*process)) : "/";
  Fd root(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  pollfd ended{process ? process->get() : -1, POLLIN, 0};
  // Its number may have been given to somebody else before it was opened.
  if (!root || poll(&ended, 1, 0) != 0) throw Error(Error::missing, "it has ended");
  return root;
}

}  // namespace

std::string mark_of_file(const Fd* process, const std::filesystem::path& path) {
  const Fd root = root_of(process);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const Fd file(static_cast<int>(syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  struct stat info;
  if (!file || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  return fmt::format("{}.{}.{}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

}  // namespace holdall::engine
