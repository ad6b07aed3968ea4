#include "router/worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "router/upstream.h"

namespace holdall::router {
namespace {

constexpr std::size_t kEvents = 256;

// Connections taken from one listener in a row; the other workers are awake by then.
constexpr int kAccepts = 16;

// A connection that only waits is looked at so often.
constexpr auto kSlowSweep = std::chrono::seconds(1);

void for_each(std::list<Client>& clients, auto&& f) {
  // `f` may move the client it is given to another list, and no other.
  for (auto it = clients.begin(); it != clients.end();) f(*it++);
}

void tune(int fd) {
  int on = 1, idle = 60;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // A tunnel or a stream may be silent for hours; a peer that vanished without a word is found by these.
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
}

}  // namespace

/// A listener in this worker's loop. The other workers have it in theirs; the kernel wakes one of them.
class Worker::Accepting final : public EventSink {
 public:
  Accepting(Workspace& work, int fd, const Door& door) : fd(fd), door(door), work_(work) { resume(); }
  ~Accepting() override { pause(); }

  // Out of descriptors: connections wait in the backlog until the next sweep, by when some may be free.
  void pause() {
    if (std::exchange(watched_, false)) epoll_ctl(work_.epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
  void resume() {
    if (std::exchange(watched_, true)) return;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    event.data.ptr = static_cast<EventSink*>(this);
    checked(epoll_ctl(work_.epoll.get(), EPOLL_CTL_ADD, fd, &event), "watch a listener");
  }
  bool paused() const { return !watched_; }

  void on_event(std::uint32_t) override {
    for (int i = 0; i < kAccepts; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      Fd fresh(accept4(fd, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fresh && errno == ECONNABORTED) continue;
      if (!fresh && errno != EAGAIN) pause();
      if (!fresh) return;
      if (peer.ss_family != AF_UNIX) tune(fresh.get());
      std::string address = peer.ss_family == AF_UNIX ? "unix" : net::address_of(peer).host;
      work_.active.emplace_back(work_, std::move(fresh), std::move(address), door);
      auto client = std::prev(work_.active.end());
      work_.watch(client->socket.fd(), *client);
      client->begin(client);
    }
  }

  const int fd;
  Door door;

 private:
  Workspace& work_;
  bool watched_ = false;
};

Worker::Worker(std::size_t index, const Limits& limits, ReleaseCounters& unplaced,
               std::atomic<std::uint64_t>& lines_dropped)
    : limits_(limits), work_(index, limits_, unplaced, lines_dropped), wake_(make_event()) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  checked(epoll_ctl(work_.epoll.get(), EPOLL_CTL_ADD, wake_.get(), &event), "watch a worker's messages");
  work_.now = BootClock::now();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Worker::~Worker() {
  thread_.request_stop();
  poke(wake_);
  thread_.join();
  accepting_.clear();
  work_.on_unused = [] {};
  if (work_.table) {
    for (LiveTarget* target : work_.table->targets) close_pooled(work_, *target);
  }
  work_.active.clear();
  work_.idle.clear();
  work_.bury();
  work_.log.flush();
}

void Worker::post(std::function<void()> work) {
  messages_.lock()->push_back(std::move(work));
  poke(wake_);
}

void Worker::serve(std::shared_ptr<const Snapshot> table, Sockets listeners, std::function<void()> done) {
  post([this, table = std::move(table), listeners = std::move(listeners), done = std::move(done)] {
    auto before = std::exchange(work_.table, table);
    for (LiveTarget* target : table->targets) target->workers[work_.index].in_table = true;
    if (before) {
      for (LiveTarget* target : before->targets) {
        if (std::find(table->targets.begin(), table->targets.end(), target) != table->targets.end()) continue;
        target->workers[work_.index].in_table = false;
        close_pooled(work_, *target);
      }
    }
    listen_to(*table, listeners);
    if (work_.held > 0) for_each(work_.active, [](Client& client) { client.on_table(); });
    done();
  });
}

void Worker::listen_to(const Snapshot& table, const Sockets& listeners) {
  std::map<std::string, std::unique_ptr<Accepting>> before;
  before.swap(accepting_);
  if (!accepts_) return;
  for (const Listener& listener : table.listeners) {
    auto socket = listeners.find(listener.name);
    if (socket == listeners.end()) continue;
    Door door{listener.kind, listener.address.port, table.pool_of(listener), listener.internal};
    auto known = before.find(listener.name);
    if (known != before.end() && known->second->fd == socket->second) {
      known->second->door = door;
      accepting_[listener.name] = std::move(known->second);
    } else {
      if (known != before.end()) before.erase(known);
      accepting_[listener.name] = std::make_unique<Accepting>(work_, socket->second, door);
    }
  }
}

void Worker::cut(std::vector<LiveTarget*> targets, std::function<void(std::size_t)> done) {
  post([this, targets = std::move(targets), done = std::move(done)] {
    std::size_t count = 0;
    for_each(work_.active, [&](Client& client) { count += client.cut(targets) ? 1 : 0; });
    done(count);
  });
}

void Worker::log_to(int pipe) {
  post([this, pipe] {
    work_.log.flush();
    work_.log.set_pipe(pipe);
  });
}

void Worker::on_unused(std::function<void()> call) {
  post([this, call = std::move(call)] { work_.on_unused = call; });
}

void Worker::end(bool still_accepts, std::function<void()> done) {
  post([this, still_accepts, done = std::move(done)] {
    work_.ending = true;
    accepts_ = still_accepts;
    if (!accepts_) accepting_.clear();
    for_each(work_.idle, [](Client& client) { client.on_end(); });
    if (work_.table) {
      for (LiveTarget* target : work_.table->targets) close_pooled(work_, *target);
    }
    empty_ = done;
  });
}

void Worker::stop(std::function<void()> done) {
  post([this, done = std::move(done)] {
    work_.ending = work_.stopping = true;
    accepts_ = false;
    accepting_.clear();
    for_each(work_.idle, [](Client& client) { client.on_stop(); });
    for_each(work_.active, [](Client& client) { client.on_stop(); });
    if (work_.table) {
      for (LiveTarget* target : work_.table->targets) close_pooled(work_, *target);
    }
    empty_ = done;
  });
}

// Sleeps without end when there is nothing that could time out.
int Worker::wait_ms() const {
  if (!work_.again.empty()) return 0;
  bool soon = !work_.active.empty() || !work_.log.empty();
  if (soon) return static_cast<int>(limits_.sweep.count());
  for (const auto& [name, listener] : accepting_) {
    if (listener->paused()) return static_cast<int>(limits_.sweep.count());
  }
  bool pooled = false;
  if (work_.table) {
    for (LiveTarget* target : work_.table->targets) pooled |= !target->workers[work_.index].pooled.empty();
  }
  return work_.idle.empty() && !pooled ? -1 : 1000;
}

void Worker::run(const std::stop_token& stop) {
  std::array<epoll_event, kEvents> events;
  while (!stop.stop_requested()) {
    int count = epoll_wait(work_.epoll.get(), events.data(), kEvents, wait_ms());
    if (count < 0 && errno != EINTR) throw_errno(Error::broken, "wait for events", errno);
    work_.now = BootClock::now();
    bool woken = false;
    for (int i = 0; i < count; ++i) {
      auto* sink = static_cast<EventSink*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (sink) {
        sink->on_event(events[static_cast<std::size_t>(i)].events);
      } else {
        woken = true;
      }
    }
    for (Client* client : std::exchange(work_.again, {})) client->on_again();
    sweep();
    // After the events, so that none of a listener that a table takes away is still to come.
    if (woken) take_messages();
    work_.bury();
    if (empty_ && work_.active.empty() && work_.idle.empty()) std::exchange(empty_, nullptr)();
  }
}

void Worker::take_messages() {
  clear(wake_);
  for (auto& message : std::exchange(*messages_.lock(), {})) message();
}

void Worker::sweep() {
  if (work_.now - last_sweep_ < limits_.sweep) return;
  last_sweep_ = work_.now;
  for_each(work_.active, [](Client& client) { client.on_sweep(); });
  if (!work_.log.empty()) work_.log.flush();
  for (auto& [name, listener] : accepting_) listener->resume();
  if (work_.now - last_slow_sweep_ < kSlowSweep) return;
  last_slow_sweep_ = work_.now;
  for_each(work_.idle, [](Client& client) { client.on_sweep(); });
  if (work_.table) {
    for (LiveTarget* target : work_.table->targets) close_stale(work_, *target);
  }
}

}  // namespace holdall::router
