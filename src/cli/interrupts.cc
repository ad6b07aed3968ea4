#include "cli/interrupts.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>

namespace holdall::cli {
namespace {

sigset_t interrupting() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

Interrupts::Interrupts(std::function<void(int)> interrupted) : stop_(make_event()) {
  sigset_t signals = interrupting();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signals_ = Fd(checked(signalfd(-1, &signals, SFD_CLOEXEC), "watch for signals"));
  tasks_.start("interrupts", [this, interrupted = std::move(interrupted)](const std::stop_token&) {
    for (int count = 1;; ++count) {
      pollfd watched[] = {{signals_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      while (poll(watched, 2, -1) < 0) {
      }
      if (watched[1].revents) return;
      signalfd_siginfo signal;
      if (read(signals_.get(), &signal, sizeof signal) == sizeof signal) interrupted(count);
    }
  });
}

Interrupts::~Interrupts() {
  poke(stop_);
  tasks_.stop();
  sigset_t signals = interrupting();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void leave(int code) {
  std::fflush(stdout);
  _exit(code);
}

}  // namespace holdall::cli
