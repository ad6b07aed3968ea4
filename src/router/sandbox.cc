#include "router/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace holdall::router {
namespace {

constexpr unsigned kNobody = 65534;

void set_limits() {
  rlimit files{};
  checked(getrlimit(RLIMIT_NOFILE, &files), "read the limit of descriptors");
  files.rlim_cur = files.rlim_max;
  checked(setrlimit(RLIMIT_NOFILE, &files), "raise the limit of descriptors");
  rlimit none{0, 0};
  checked(setrlimit(RLIMIT_CORE, &none), "forbid core files");
}

[[maybe_unused]] void become_nobody() {
  if (geteuid() != 0) return;
  char path[] = "/tmp/holdall-router-XXXXXX";
  if (!mkdtemp(path)) throw_errno(Error::broken, "make an empty root directory", errno);
  Fd root(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  rmdir(path);
  checked(fchdir(root.get()), "enter the empty root directory");
  checked(chroot("."), "make the empty directory the root");
  checked(setgroups(0, nullptr), "leave all groups");
  checked(setresgid(kNobody, kNobody, kNobody), "become group nobody");
  checked(setresuid(kNobody, kNobody, kNobody), "become user nobody");
}

// Handles every right that this kernel's Landlock knows, and grants none.
[[maybe_unused]] void forbid_files() {
  long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return;  // not in this kernel, or switched off
  landlock_ruleset_attr rules{};
  // Version 1 has the rights up to MAKE_SYM, 2 adds REFER, 3 TRUNCATE.
  rules.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  if (version >= 2) rules.handled_access_fs |= 1ull << 13;
  if (version >= 3) rules.handled_access_fs |= 1ull << 14;
  Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0)));
  if (!ruleset) throw_errno(Error::broken, "forbid access to files", errno);
  checked(static_cast<int>(syscall(SYS_landlock_restrict_self, ruleset.get(), 0)), "forbid access to files");
}

// Everything that the data path, the messages, malloc, threads and the log on stderr use. Anything else ends
// the process: it is not ours.
constexpr int kAllowed[] = {
    SCMP_SYS(accept4),
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(close),
    SCMP_SYS(connect),
    SCMP_SYS(dup3),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(ftruncate),
    SCMP_SYS(futex),
    SCMP_SYS(getpeername),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(lseek),
    SCMP_SYS(madvise),
    SCMP_SYS(memfd_create),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(newfstatat),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pread64),
    SCMP_SYS(read),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),
    SCMP_SYS(uname),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
};

[[maybe_unused]] void forbid_system_calls() {
  std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_KILL_PROCESS),
                                                           seccomp_release);
  if (!filter) throw Error(Error::broken, "make a seccomp filter: no memory");
  auto allow = [&](int call, auto... conditions) {
    int result = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, sizeof...(conditions), conditions...);
    if (result < 0) throw_errno(Error::broken, "allow a system call", -result);
  };
  for (int call : kAllowed) allow(call);
  for (int family : {AF_INET, AF_INET6, AF_UNIX}) {
    allow(SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
  }
  // What a library may try and does without: it gets an error instead of the end.
  for (int call : {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(prctl), SCMP_SYS(ioctl),
                   SCMP_SYS(sysinfo)}) {
    int result = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), call, 0);
    if (result < 0) throw_errno(Error::broken, "refuse a system call", -result);
  }
  if (int result = seccomp_load(filter.get()); result < 0)
    throw_errno(Error::broken, "load the seccomp filter", -result);
}

}  // namespace

void enter_sandbox() {
  set_limits();
#ifndef HOLDALL_SANITIZED
#ifndef HOLDALL_FAILPOINTS  // their socket has a path, and belongs to who runs the test
  become_nobody();
#endif
  checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "give up gaining rights");
  checked(prctl(PR_SET_DUMPABLE, 0), "become undumpable");
  forbid_files();
  forbid_system_calls();
#endif
}

}  // namespace holdall::router
