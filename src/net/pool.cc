#include "net/pool.h"

#include <signal.h>

#include "base/error.h"

namespace holdall::net {
namespace {

// A thread's default stack is 8 MiB of address space; handlers need little, and the daemon is meant to be
// small. Instrumented code needs several times as much.
#ifdef HOLDALL_SANITIZED
constexpr std::size_t kStack = 2 << 20;
#else
constexpr std::size_t kStack = 256 << 10;
#endif

}  // namespace

Pool::Pool(std::size_t threads, std::size_t queued) : most_threads_(threads), most_queued_(queued) {}

Pool::~Pool() {
  std::vector<pthread_t> threads;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
    threads.swap(threads_);
  }
  changed_.notify_all();
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
}

bool Pool::submit(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    bool all_busy = idle_ <= queue_.size();
    if (all_busy && threads_.size() < most_threads_) start_thread();
    if (queue_.size() >= most_queued_ + idle_) return false;
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

void Pool::start_thread() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  // Signals are the loop's business.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  auto body = [](void* self) -> void* {
    static_cast<Pool*>(self)->work_until_stopped();
    return nullptr;
  };
  int error = pthread_create(&thread, &attributes, body, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error == 0) {
    threads_.push_back(thread);
    ++idle_;
  } else if (threads_.empty()) {
    throw_errno(Error::busy, "start a thread", error);
  }
}

void Pool::work_until_stopped() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    --idle_;
    lock.unlock();
    work();
    work = nullptr;  // what it holds goes before the lock is taken
    lock.lock();
    ++idle_;
  }
}

}  // namespace holdall::net
