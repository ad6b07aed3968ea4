#include "base/log_sink.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "base/log.h"

namespace holdall::log {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostKept = 16 << 20;  // log.h promises it
constexpr auto kFinishBound = 5s;            // log.h promises it
// Without a backlog, a stderr that would block (the other end made it so) is waited for as long as this.
constexpr int kPatienceMs = 1000;
// A disk that is full is tried again after this.
constexpr auto kRetry = 100ms;

enum class Outcome { written, would_block, full, gone };

/// As much of `bytes` as goes, which is then cut off.
Outcome write_some(std::string_view& bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (written >= 0) bytes.remove_prefix(static_cast<std::size_t>(written));
    if (written >= 0 || errno == EINTR) continue;
    if (errno == EAGAIN) return Outcome::would_block;
    if (errno == ENOSPC || errno == EDQUOT || errno == EIO) return Outcome::full;
    return Outcome::gone;  // nobody reads any more, or there is no stderr
  }
  return Outcome::written;
}

bool takes_more(int patience_ms) {
  pollfd what{STDERR_FILENO, POLLOUT, 0};
  int ready;
  while ((ready = poll(&what, 1, patience_ms)) < 0 && errno == EINTR) {
  }
  return ready > 0;
}

/// Only what a ready pipe takes in one piece can be written without waiting; a file takes any size.
bool goes_at_once(std::size_t size) {
  struct stat info{};
  if (size > PIPE_BUF && (fstat(STDERR_FILENO, &info) != 0 || !S_ISREG(info.st_mode))) return false;
  return takes_more(0);
}

class Sink {
 public:
  void deliver(std::string line) {
    std::unique_lock lock(mutex_);
    if (keeping_) {
      keep(std::move(line));
    } else {
      if (lost_) line.insert(0, lost_line(lost_));
      if (write_whole(line)) {
        lost_ = 0;
      } else {
        ++lost_;
      }
    }
  }

  void begin_keeping() {
    std::lock_guard lock(mutex_);
    keeping_ = true;
    stopping_ = false;
    // Signals are the program's business.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    writer_ = std::thread([this] { write_kept(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void end_keeping() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      give_up_ = std::chrono::steady_clock::now() + kFinishBound;
    }
    changed_.notify_all();
    writer_.join();
    std::lock_guard lock(mutex_);
    keeping_ = false;
  }

 private:
  /// Without a backlog: what does not go is waited for a while, then given up.
  static bool write_whole(std::string_view line) {
    for (;;) {
      Outcome outcome = write_some(line);
      if (outcome == Outcome::written) return true;
      if (outcome != Outcome::would_block || !takes_more(kPatienceMs)) return false;
    }
  }

  void keep(std::string line) {
    if (kept_.empty() && lost_ == 0 && goes_at_once(line.size())) {
      std::string_view rest = line;
      Outcome outcome = write_some(rest);
      if (outcome == Outcome::written || outcome == Outcome::gone) return;
      line.erase(0, line.size() - rest.size());
    } else if (bytes_ + line.size() > kMostKept) {
      ++lost_;
      return;
    }
    bytes_ += line.size();
    kept_.push_back(std::move(line));
    changed_.notify_all();
  }

  /// The writer's thread. The line being written stays in front of the queue, so that none overtakes it.
  void write_kept() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !kept_.empty(); });
      if (kept_.empty()) return;
      if (stopping_ && std::chrono::steady_clock::now() > give_up_) {
        kept_.clear();
        bytes_ = 0;
        return;
      }
      std::string_view line = kept_.front();  // a deque's elements stay where they are
      lock.unlock();
      Outcome outcome = write_slowly(line);
      lock.lock();
      if (outcome == Outcome::would_block || outcome == Outcome::full) {
        std::string rest(line);
        bytes_ -= kept_.front().size() - rest.size();
        kept_.front() = std::move(rest);
        if (outcome == Outcome::full) changed_.wait_for(lock, kRetry);
        continue;
      }
      bytes_ -= kept_.front().size();
      kept_.pop_front();
      if (kept_.empty() && lost_) {
        kept_.push_back(lost_line(std::exchange(lost_, 0)));
        bytes_ = kept_.front().size();
      }
    }
  }

  /// Piece by piece, each no larger than what a ready pipe takes, so that this thread can always be joined.
  static Outcome write_slowly(std::string_view& line) {
    while (!line.empty()) {
      if (!takes_more(static_cast<int>(kRetry / 1ms))) return Outcome::would_block;
      std::string_view piece = line.substr(0, PIPE_BUF);
      std::size_t size = piece.size();
      Outcome outcome = write_some(piece);
      line.remove_prefix(size - piece.size());
      if (outcome != Outcome::written) return outcome;
    }
    return Outcome::written;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> kept_;
  std::size_t bytes_ = 0;  ///< of kept_
  std::size_t lost_ = 0;   ///< lines, since the last that went through
  bool keeping_ = false, stopping_ = false;
  std::chrono::steady_clock::time_point give_up_;
  std::thread writer_;
};

Sink& sink() {
  // Never destroyed: the last lines come from destructors of other static objects.
  static Sink& sink = *new Sink;
  return sink;
}

}  // namespace

void deliver(std::string line) { sink().deliver(std::move(line)); }

Backlog::Backlog() { sink().begin_keeping(); }
Backlog::~Backlog() { sink().end_keeping(); }

}  // namespace holdall::log
