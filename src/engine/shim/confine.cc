#include "engine/shim/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/shim/child.h"
#include "engine/shim/descriptors.h"

namespace holdall::engine {
namespace {

constexpr const char* kSecrets = "/run/secrets";

// Of a home that lies in memory: room for caches, not for data.
constexpr const char* kCoverOptions = "mode=0755,size=64m";

bool fail(char* reason, std::size_t size, const char* doing, const char* what) {
  std::snprintf(reason, size, "cannot %s %s: %s", doing, what, words(errno));
  return false;
}

/// Every directory of `path` below `above`, which is there.
bool make_path(const char* above, const char* path) {
  char at[PATH_MAX];
  if (std::snprintf(at, sizeof at, "%s", path) >= static_cast<int>(sizeof at)) {
    errno = ENAMETOOLONG;
    return false;
  }
  for (char* slash = at + std::strlen(above) + 1; (slash = std::strchr(slash, '/')); ++slash) {
    *slash = 0;
    if (mkdir(at, 0755) != 0 && errno != EEXIST) return false;
    *slash = '/';
  }
  return mkdir(at, 0755) == 0 || errno == EEXIST;
}

/// Without swap where the kernel can (Linux 6.4).
bool mount_memory(unsigned uid) {
  const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  char options[128];
  int length = std::snprintf(options, sizeof options, "mode=0500,uid=%u,gid=%u,size=8m", uid, uid);
  std::snprintf(options + length, sizeof options - static_cast<std::size_t>(length), ",noswap");
  if (mount("tmpfs", kSecrets, "tmpfs", flags, options) == 0) return true;
  options[length] = 0;
  return mount("tmpfs", kSecrets, "tmpfs", flags, options) == 0;
}

bool write_file(int directory, const Secrets::File& file, unsigned uid) {
  int to = openat(directory, file.target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (to < 0) return false;
  bool written = true;
  for (std::size_t done = 0; written && done < file.size;) {
    ssize_t more = write(to, file.bytes + done, file.size - done);
    written = more > 0;
    if (written) done += static_cast<std::size_t>(more);
  }
  if (written && uid != 0) written = fchown(to, uid, uid) == 0;
  written = written && fchmod(to, file.mode) == 0;
  close(to);
  return written;
}

void set_soft(__rlimit_resource which, std::uint64_t soft) {
  rlimit limit;
  getrlimit(which, &limit);
  limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
  setrlimit(which, &limit);
}

/// A hard limit that may not be raised stays as it is: control has said so.
void set_ulimits(char** ulimits) {
  for (; ulimits && ulimits[0] && ulimits[1] && ulimits[2]; ulimits += 3) {
    auto which = static_cast<__rlimit_resource>(std::atoi(ulimits[0]));
    rlimit wanted{std::strtoull(ulimits[1], nullptr, 10), std::strtoull(ulimits[2], nullptr, 10)};
    rlimit most;
    if (setrlimit(which, &wanted) == 0 || getrlimit(which, &most) != 0) continue;
    wanted.rlim_max = std::min(wanted.rlim_max, most.rlim_max);
    wanted.rlim_cur = std::min(wanted.rlim_cur, wanted.rlim_max);
    setrlimit(which, &wanted);
  }
}

}  // namespace

bool join_groups(const Spec& spec, char* reason, std::size_t size) {
  for (int group = 0; group < spec.groups; ++group) {
    if (write(kGroupsFd + group, "0", 1) != 1) return fail(reason, size, "enter", "its control group");
  }
  return true;
}

bool cover_state(const Spec& spec, bool own_mounts, char* reason, std::size_t size) {
  if (spec.uid == 0 || !own_mounts) return true;
  int tree = open(spec.artefact, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (tree < 0) return fail(reason, size, "open", spec.artefact);
  if (mount("tmpfs", spec.cover, "tmpfs", MS_NOSUID | MS_NODEV, kCoverOptions) != 0)
    return fail(reason, size, "cover", spec.cover);
  if (!make_path(spec.cover, spec.artefact)) return fail(reason, size, "make", spec.artefact);
  char source[40];
  std::snprintf(source, sizeof source, "/proc/self/fd/%d", tree);
  const unsigned long read_only = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;
  if (mount(source, spec.artefact, nullptr, MS_BIND, nullptr) != 0 ||
      mount(nullptr, spec.artefact, nullptr, read_only, nullptr) != 0)
    return fail(reason, size, "show", spec.artefact);
  close(tree);
  if (!make_path(spec.cover, spec.home) || chown(spec.home, spec.uid, spec.uid) != 0 ||
      chmod(spec.home, 0700) != 0)
    return fail(reason, size, "make", spec.home);
  return true;
}

bool place_secrets(const Spec& spec, const Secrets& secrets, bool own_mounts, int directory, char* reason,
                   std::size_t size) {
  if (secrets.file_count == 0) return true;
  bool mounted = spec.uid != 0;
  if (mounted && !own_mounts) {
    std::snprintf(reason, size,
                  "cannot give it its secrets as files: no namespace of mounts is allowed here");
    return false;
  }
  if (mounted && ((mkdir(kSecrets, 0755) != 0 && errno != EEXIST) || !mount_memory(spec.uid)))
    return fail(reason, size, "mount", kSecrets);
  if (!mounted && mkdirat(directory, "secrets", 0700) != 0) return fail(reason, size, "make", "secrets");
  int place = openat(directory, mounted ? kSecrets : "secrets", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (place < 0) return fail(reason, size, "open", kSecrets);
  for (const Secrets::File* file = secrets.files; file != secrets.files + secrets.file_count; ++file) {
    if (!write_file(place, *file, spec.uid)) return fail(reason, size, "write the secret", file->target);
  }
  close(place);
  const unsigned long read_only = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mounted && mount(nullptr, kSecrets, nullptr, read_only, nullptr) != 0)
    return fail(reason, size, "protect", kSecrets);
  return true;
}

bool drop_privileges(const Spec& spec, char* reason, std::size_t size) {
  set_soft(RLIMIT_NOFILE, spec.open_files);
  set_soft(RLIMIT_CORE, spec.core_bytes);
  set_ulimits(spec.ulimits);
  if (spec.uid == 0) return true;
  if (setgroups(0, nullptr) == 0 && setresgid(spec.uid, spec.uid, spec.uid) == 0 &&
      setresuid(spec.uid, spec.uid, spec.uid) == 0)
    return true;
  char user[24];
  std::snprintf(user, sizeof user, "user %u", spec.uid);
  return fail(reason, size, "become", user);
}

}  // namespace holdall::engine
