#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/tasks.h"
#include "supervise/probes.h"
#include "supervise/reconciler.h"
#include "supervise/supervise.h"

namespace holdall::supervise {
namespace {

/// A call of another thread, which waits until the loop has done it.
struct Call {
  std::function<void()> work;
  std::promise<void> done;
};

struct Calls {
  std::deque<Call> waiting;
  bool closed = false;
};

/// The loop's one thread owns the reconciler; everybody else sees what it has published.
class Running final : public Supervisor {
 public:
  Running(engine::Engine& engine, store::Database& database, const Clock& clock)
      : engine_(engine),
        clock_(clock),
        probes_(engine, clock),
        reconciler_(engine, database, clock, probes_,
                    [](const std::string& name) { failpoint(name.c_str()); }),
        called_(make_event()),
        epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll set")) {
    for (int fd : {engine.changes(), called_.get(), probes_.fd()}) {
      epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
      checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "wait for instances");
    }
    publish();
    thread_.start("supervisor", [this](const std::stop_token& stop) { run(stop); });
  }

  ~Running() override { thread_.stop(); }

  void want(const Group& group) override {
    call([&] { reconciler_.want(group); });
  }
  void unwant(const GroupId& group) override {
    call([&] { reconciler_.unwant(group); });
  }
  void resize(const GroupId& group, int replicas) override {
    call([&] { reconciler_.resize(group, replicas); });
  }
  void signal(const InstanceId& instance, int number) override {
    call([&] { engine_.signal(instance, number); });
  }
  void watch_closely(const GroupId& group, bool closely) override {
    call([&] { reconciler_.watch_closely(group, closely); });
  }

  void look_again(const GroupId& group) override {
    call([&] {
      reconciler_.look_again(group);
      publish();
    });
  }

  void let_go(const InstanceId& instance) override {
    call([&] { reconciler_.let_go(instance); });
  }

  std::vector<Group> wanted() const override {
    std::lock_guard lock(mutex_);
    return wanted_;
  }
  std::shared_ptr<const Snapshot> snapshot() const override {
    std::lock_guard lock(mutex_);
    return snapshot_;
  }
  std::shared_ptr<const Snapshot> wait(std::uint64_t seen, Deadline deadline,
                                       const std::stop_token& stop) const override {
    std::unique_lock lock(mutex_);
    wait_until(lock, stop, deadline, [&] { return snapshot_->version > seen; });
    return snapshot_;
  }
  bool gone(const std::vector<GroupId>& groups, Deadline deadline) const override {
    std::unique_lock lock(mutex_);
    return wait_until(lock, {}, deadline, [&] {
      return std::ranges::none_of(groups, [&](const GroupId& group) { return present_.contains(group); });
    });
  }

 private:
  bool wait_until(std::unique_lock<std::mutex>& lock, const std::stop_token& stop, Deadline deadline,
                  const std::function<bool()>& happened) const {
    if (deadline != Deadline::never()) return changed_.wait_until(lock, stop, deadline.at(), happened);
    return changed_.wait(lock, stop, happened);
  }

  void call(std::function<void()> work) {
    std::future<void> done;
    {
      auto calls = calls_.lock();
      if (calls->closed) throw Error(Error::busy, "supervision is being stopped");
      done = calls->waiting.emplace_back(std::move(work), std::promise<void>()).done.get_future();
    }
    poke(called_);
    done.get();
  }

  void run(const std::stop_token& stop) {
    std::stop_callback wake(stop, [&] { poke(called_); });
    Instant due = clock_.now();
    while (!stop.stop_requested()) {
      wait_for_something(std::min(due, probes_.due()));
      try {
        do_calls();
        if (is_readable(engine_.changes())) reconciler_.observe();
        due = reconciler_.step();
      } catch (const std::exception& error) {
        constexpr auto kAgain = std::chrono::seconds(1);
        log::error("supervise.failed", error.what());
        due = clock_.now() + kAgain;
      }
      publish();
    }
    close_calls();
  }

  void wait_for_something(Instant due) {
    events_ = 0;
    int timeout = -1;
    if (due != Instant::max()) {
      auto left = std::max(due - clock_.now(), std::chrono::nanoseconds(0));
      constexpr auto kLongest = std::chrono::milliseconds(std::chrono::hours(1));
      timeout =
          static_cast<int>(std::min(std::chrono::ceil<std::chrono::milliseconds>(left), kLongest).count());
    }
    events_ = std::max(0, epoll_wait(epoll_.get(), ready_.data(), ready_.size(), timeout));
  }

  bool is_readable(int fd) const {
    return std::any_of(ready_.begin(), ready_.begin() + events_,
                       [&](const epoll_event& e) { return e.data.fd == fd; });
  }

  void do_calls() {
    if (!is_readable(called_.get())) return;
    clear(called_);
    std::deque<Call> calls;
    calls.swap(calls_.lock()->waiting);
    for (Call& call : calls) {
      try {
        call.work();
        call.done.set_value();
      } catch (...) {
        call.done.set_exception(std::current_exception());
      }
    }
  }

  void close_calls() {
    std::deque<Call> calls;
    {
      auto open = calls_.lock();
      open->closed = true;
      calls.swap(open->waiting);
    }
    auto why = std::make_exception_ptr(Error(Error::busy, "supervision is being stopped"));
    for (Call& call : calls) call.done.set_exception(why);
  }

  void publish() {
    auto next = std::make_shared<Snapshot>();
    next->instances = reconciler_.statuses();
    next->leaving = reconciler_.leaving();
    bool same_groups = snapshot_ && groups_changed_ == reconciler_.groups_changed();
    if (same_groups && next->instances == snapshot_->instances && next->leaving == snapshot_->leaving) return;
    next->version = snapshot_ ? snapshot_->version + 1 : 1;
    groups_changed_ = reconciler_.groups_changed();
    std::vector<Group> wanted = reconciler_.wanted();
    std::set<GroupId> present = reconciler_.present();
    {
      std::lock_guard lock(mutex_);
      snapshot_ = std::move(next);
      wanted_.swap(wanted);
      present_.swap(present);
    }
    changed_.notify_all();
  }

  engine::Engine& engine_;
  const Clock& clock_;
  Probes probes_;
  Reconciler reconciler_;
  Fd called_, epoll_;
  Guarded<Calls> calls_;
  std::array<epoll_event, 4> ready_;
  int events_ = 0;
  std::uint64_t groups_changed_ = 0;

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  // Written by the loop with mutex_ held, which itself reads them without.
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<Group> wanted_;
  std::set<GroupId> present_;

  TaskGroup thread_;  ///< last: it uses all of the above
};

}  // namespace

std::unique_ptr<Supervisor> make_supervisor(engine::Engine& engine, store::Database& database,
                                            const Clock& clock) {
  return std::make_unique<Running>(engine, database, clock);
}

}  // namespace holdall::supervise
