#include "engine/shim/enter.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <initializer_list>

#include "engine/shim/child.h"
#include "engine/shim/confine.h"
#include "engine/shim/descriptors.h"
#include "engine/shim/spec.h"

namespace holdall::engine {
namespace {

// As a shell says that a command could not be run.
constexpr int kCannotExecute = 127;

int fail(const char* doing) {
  dprintf(STDERR_FILENO, "cannot %s: %s\n", doing, words(errno));
  return kCannotExecute;
}

[[noreturn]] void run_program(const Spec& spec) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  char reason[512] = "cannot read its secrets";
  // Its output goes to whoever asked, who made the pipes.
  if (spec.uid != 0) {
    for (int fd : {STDOUT_FILENO, STDERR_FILENO}) [[maybe_unused]]
      int ignored = fchown(fd, spec.uid, spec.uid);
  }
  if (!join_groups(spec, reason, sizeof reason)) {
    dprintf(STDERR_FILENO, "%s\n", reason);
    _exit(kCannotExecute);
  }
  Secrets secrets;
  if (secrets.read_from(kSecretsFd)) become(spec, secrets, reason, sizeof reason);
  dprintf(STDERR_FILENO, "%s\n", reason);
  _exit(kCannotExecute);
}

}  // namespace

int enter() {
  // Blocked before the parent can end, so that its end is never missed.
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGTERM);
  sigprocmask(SIG_BLOCK, &awaited, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGTERM);

  Spec spec;
  if (!spec.map(kSpecFd)) return fail("read what to run");
  bool elsewhere = fcntl(kTargetFd, F_GETFD) >= 0;
  if (elsewhere && setns(kTargetFd, CLONE_NEWPID | CLONE_NEWNS) != 0) return fail("enter the instance");

  pid_t child = fork();
  if (child < 0) return fail("start a process");
  if (child == 0) run_program(spec);
  close(kSecretsFd);
  for (;;) {
    int signal = sigwaitinfo(&awaited, nullptr);
    if (signal == SIGTERM) kill(0, SIGKILL);
    int status;
    if (waitpid(child, &status, WNOHANG) != child) continue;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    // The caller sees the same signal end this process.
    std::signal(WTERMSIG(status), SIG_DFL);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, nullptr);
    raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
  }
}

}  // namespace holdall::engine
