#include "net/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "base/guarded.h"
#include "base/log.h"
#include "net/connection.h"
#include "net/pool.h"

namespace holdall::net {
namespace {

using namespace std::chrono_literals;

// Names in epoll's data: the mailbox, then listeners, then connections.
constexpr std::uint64_t kMailbox = 0, kFirstListener = 1, kFirstConnection = 1000;

// Requests that may wait for a thread of the reserve: probes, which come every few seconds.
constexpr std::size_t kQueuedReserve = 64;
// When descriptors have run out, accepting pauses: most come back within moments.
constexpr auto kAcceptPause = 100ms;

/// What other threads tell the loop. It outlives the server, as a stream's waker may.
struct Mailbox {
  struct Answer {
    std::uint64_t connection;
    Outcome outcome;
  };
  struct Content {
    std::vector<Answer> answers;
    std::unordered_set<std::uint64_t> woken;
  };

  Fd event = make_event();
  Guarded<Content> content;

  Content take() { return std::exchange(*content.lock(), {}); }
};

}  // namespace

struct Server::Impl final : ConnectionOwner {
  Impl(std::vector<Route> rows, ServerOptions settings)
      : routes(std::move(rows)),
        options(std::move(settings)),
        reserve(options.reserve, kQueuedReserve),
        pool(options.threads, options.queued) {
    watch(mailbox->event.get(), EPOLLIN, kMailbox, EPOLL_CTL_ADD);
  }

  bool dispatch(std::uint64_t connection, const Route& route, Request request) override;
  std::function<void()> waker(std::uint64_t connection) override;
  void forget(std::uint64_t connection) override;

  std::size_t run();
  void turn(Deadline deadline);
  void handle(Connection& connection, std::uint32_t events);
  void read_mail();
  void accept_all(const Listener& listener);
  void pause_accepting();
  void watch_listeners(std::uint32_t events);
  void settle(std::uint64_t id, Connection& connection);
  void sweep();
  void for_each(void (Connection::*act)());
  void begin_stop();
  void watch(int fd, std::uint32_t events, std::uint64_t id, int operation);
  Deadline next_deadline() const { return Deadline(next_sweep); }

  struct Watched {
    std::unique_ptr<Connection> connection;
    std::uint32_t events = 0;  ///< what epoll watches for now
  };

  const std::vector<Route> routes;
  const ServerOptions options;
  const std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  std::atomic<bool> stop_asked{false};

  // The loop's own.
  Fd epoll{checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll")};
  std::vector<Listener> listeners;
  std::unordered_map<std::uint64_t, Watched> connections;
  std::uint64_t next_id = kFirstConnection;
  Instant next_sweep = Instant::max();
  Instant accept_again = Instant::max();
  bool stopping = false;

  // Last: their threads use the mailbox.
  Pool reserve, pool;
};

Server::Server(std::vector<Route> routes, ServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(routes), std::move(options))) {}

Server::~Server() = default;

void Server::add_listener(Listener listener) {
  impl_->watch(listener.socket.get(), EPOLLIN, kFirstListener + impl_->listeners.size(), EPOLL_CTL_ADD);
  impl_->listeners.push_back(std::move(listener));
}

std::size_t Server::run() { return impl_->run(); }

void Server::stop() {
  impl_->stop_asked = true;
  poke(impl_->mailbox->event);
}

bool Server::Impl::dispatch(std::uint64_t connection, const Route& route, Request request) {
  // std::function wants to copy what it holds, and a request cannot be copied.
  auto shared = std::make_shared<Request>(std::move(request));
  auto work = [box = mailbox, connection, &route, shared] {
    Outcome outcome = run_handler(route, *shared);
    box->content.lock()->answers.push_back({connection, std::move(outcome)});
    poke(box->event);
  };
  try {
    return (route.lane == Lane::reserve ? reserve : pool).submit(std::move(work));
  } catch (const Error& error) {
    log::error("http.pool", error.what());
    return false;
  }
}

std::function<void()> Server::Impl::waker(std::uint64_t connection) {
  return [box = mailbox, connection] {
    if (box->content.lock()->woken.insert(connection).second) poke(box->event);
  };
}

/// By hand, as the kernel does it only when nobody has the socket any more.
void Server::Impl::forget(std::uint64_t connection) {
  Watched& watched = connections[connection];
  if (watched.events) watch(watched.connection->fd(), 0, connection, EPOLL_CTL_DEL);
  watched.events = 0;
}

std::size_t Server::Impl::run() {
  while (!stop_asked) turn(next_deadline());
  begin_stop();
  Deadline bound = Deadline::after(options.finish);
  while (!connections.empty() && !bound.passed()) turn(std::min(bound, next_deadline()));
  auto cut = static_cast<std::size_t>(std::ranges::count_if(
      connections, [](const auto& one) { return one.second.connection->owes_answer(); }));
  if (cut) {
    log::warning("http.stop", "requests were cut off: they did not end in time",
                 Json::object({{"count", cut}}));
  }
  connections.clear();
  return cut;
}

/// Waits for something to happen, then lets it.
void Server::Impl::turn(Deadline deadline) {
  std::array<epoll_event, 64> events;
  int count = epoll_wait(epoll.get(), events.data(), events.size(), deadline.poll_ms());
  if (count < 0 && errno != EINTR) throw_errno(Error::broken, "wait for connections", errno);
  for (int i = 0; i < count; ++i) {
    std::uint64_t id = events[i].data.u64;
    if (id == kMailbox) {
      read_mail();
    } else if (id < kFirstConnection) {
      if (!stopping) accept_all(listeners[id - kFirstListener]);
    } else if (auto found = connections.find(id); found != connections.end()) {
      handle(*found->second.connection, events[i].events);
      settle(id, *found->second.connection);
    }
  }
  if (BootClock::now() >= next_sweep) sweep();
}

void Server::Impl::handle(Connection& connection, std::uint32_t events) {
  bool hung_up = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  if (hung_up) connection.hung_up();
  if (events & EPOLLIN || hung_up) connection.readable();
  if (events & EPOLLOUT || hung_up) connection.writable();
}

void Server::Impl::read_mail() {
  clear(mailbox->event);
  auto mail = mailbox->take();
  for (auto& [id, outcome] : mail.answers) {
    auto found = connections.find(id);
    if (found == connections.end()) continue;
    found->second.connection->answered(std::move(outcome));
    settle(id, *found->second.connection);
  }
  for (std::uint64_t id : mail.woken) {
    auto found = connections.find(id);
    if (found == connections.end()) continue;
    found->second.connection->woken();
    settle(id, *found->second.connection);
  }
}

void Server::Impl::accept_all(const Listener& listener) {
  for (;;) {
    if (options.connections && connections.size() >= options.connections) return pause_accepting();
    Fd socket(accept4(listener.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      log::warning("http.accept", std::strerror(errno));
      return pause_accepting();
    }
    std::uint64_t id = next_id++;
    auto connection = std::make_unique<Connection>(id, std::move(socket), listener, routes, options, *this);
    auto& watched = connections[id];
    watched.connection = std::move(connection);
    settle(id, *watched.connection);
  }
}

void Server::Impl::pause_accepting() {
  watch_listeners(0);
  accept_again = BootClock::now() + kAcceptPause;
  next_sweep = std::min(next_sweep, accept_again);
}

void Server::Impl::watch_listeners(std::uint32_t events) {
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    watch(listeners[i].socket.get(), events, kFirstListener + i, EPOLL_CTL_MOD);
  }
}

/// After anything has happened to a connection: watch for what it now waits for, or end it.
void Server::Impl::settle(std::uint64_t id, Connection& connection) {
  Watched& watched = connections[id];
  if (connection.finished()) {
    connections.erase(id);
    return;
  }
  std::uint32_t events = connection.interest();
  if (events != watched.events) {
    // A hang-up cannot be masked, only left unwatched.
    int operation = events == 0 ? EPOLL_CTL_DEL : watched.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    watch(connection.fd(), events, id, operation);
    watched.events = events;
  }
  next_sweep = std::min(next_sweep, connection.deadline());
}

/// Ends what has waited too long, and finds out when to look again.
void Server::Impl::sweep() {
  next_sweep = Instant::max();
  if (BootClock::now() >= accept_again && !stopping) {
    accept_again = Instant::max();
    watch_listeners(EPOLLIN);
  }
  next_sweep = accept_again;
  for_each(&Connection::expire);
}

void Server::Impl::for_each(void (Connection::*act)()) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, watched] : connections) ids.push_back(id);
  for (std::uint64_t id : ids) {
    Connection& connection = *connections[id].connection;
    (connection.*act)();
    settle(id, connection);
  }
}

void Server::Impl::begin_stop() {
  for (const Listener& listener : listeners) accept_all(listener);  // who connected before the stop is served
  stopping = true;
  listeners.clear();
  for_each(&Connection::stop);
}

void Server::Impl::watch(int fd, std::uint32_t events, std::uint64_t id, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  checked(epoll_ctl(epoll.get(), operation, fd, &event), "watch a descriptor");
}

}  // namespace holdall::net
