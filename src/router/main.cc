#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "router/process.h"
#include "router/router.h"
#include "router/sandbox.h"

namespace holdall::router {
namespace {

// Where serve's socket is (docs/formats/processes.md).
constexpr int kServe = 3;

// More heaps save no time here, since small blocks come from each thread's own cache, and cost memory.
constexpr int kHeaps = 2;

int cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// Blocked before any thread starts, so that all of them inherit it.
Fd stop_signal() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  return Fd(checked(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "wait for signals"));
}

}  // namespace

int router_main(int workers) {
  log::set_logger("holdall.router");
  signal(SIGPIPE, SIG_IGN);
  mallopt(M_ARENA_MAX, kHeaps);
  Fd stop = stop_signal();
  if (workers < 1) workers = cores();
  enter_sandbox();
  Process process{Fd(kServe), workers};
  process.run(stop);
  return 0;
}

}  // namespace holdall::router
