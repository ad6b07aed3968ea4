#include "engine/shim/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace holdall::engine {
namespace {

/// 0 if there is no such process any more.
int parent_of(int pid) {
  char path[40];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[512];
  ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size <= 0) return 0;
  text[size] = 0;
  // The name may hold spaces and parentheses; the last ")" ends it, then come the state and the parent.
  const char* name_end = std::strrchr(text, ')');
  int parent = 0;
  return name_end && std::sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

}  // namespace

bool own_tree() {
  if (getpid() != 1) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return false;
  }
  // Slaves, so that a disk that the host unmounts does not stay busy here. Where that is forbidden (or "/" is
  // no mount, as in a chroot), what we mount might be seen by the host, and we mount nothing.
  if (mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return false;
  // Where a container forbids a /proc of our own, the host's must do.
  mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  return true;
}

bool write_tree(int directory) {
  char tree[128];
  struct stat space;
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  long long started = now.tv_sec * 1'000'000'000LL + now.tv_nsec;
  bool namespaced = getppid() == 1 && getpid() == 2 && stat("/proc/self/ns/pid", &space) == 0;
  if (namespaced) {
    std::snprintf(tree, sizeof tree, "namespace %llu %lld\n", static_cast<unsigned long long>(space.st_ino),
                  started);
  } else {
    struct stat out, err;
    if (fstat(STDOUT_FILENO, &out) != 0 || fstat(STDERR_FILENO, &err) != 0) return false;
    std::snprintf(tree, sizeof tree, "session %d %lld %llu %llu\n", getpid(), started,
                  static_cast<unsigned long long>(out.st_ino), static_cast<unsigned long long>(err.st_ino));
  }
  int file = openat(directory, "tree", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  bool written = write(file, tree, std::strlen(tree)) == static_cast<ssize_t>(std::strlen(tree));
  close(file);
  return written;
}

void kill_tree() {
  if (getpid() == 1) {
    kill(-1, SIGKILL);
    return;
  }
  DIR* processes = opendir("/proc");
  if (!processes) return;
  while (dirent* entry = readdir(processes)) {
    int pid = std::atoi(entry->d_name);
    if (pid > 0 && parent_of(pid) == getpid()) kill(pid, SIGKILL);
  }
  closedir(processes);
}

}  // namespace holdall::engine
