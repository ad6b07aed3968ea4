#include "client.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace load {

namespace {

// A client that leaves while it waits, or in an answer, does so after this long.
constexpr std::int64_t kPatienceOfLeaver = 50'000'000;

}  // namespace

struct Client::Connection {
  std::uint64_t id = 0;
  int fd = -1;
  bool connected = false;
  std::optional<Request> request;  ///< none: idle
  Answer answer;
  std::size_t written = 0;
  std::int64_t due = 0, leaves_at = 0, gives_up_at = 0;
};

Client::Client(const sockaddr_in& target, Mix& mix, Report& report, Pace pace)
    : target_(target), mix_(mix), report_(report), pace_(pace), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  signals_ = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, signals_, &event);
}

Client::~Client() {
  for (auto& [id, connection] : connections_) close(connection->fd);
  close(signals_);
  close(epoll_);
}

void Client::run() {
  const std::int64_t begun = wall_now();
  const double gap = 1e9 / pace_.per_second;
  std::int64_t stop_at =
      pace_.seconds > 0 ? begun + static_cast<std::int64_t>(pace_.seconds * 1e9) : INT64_MAX;
  std::uint64_t count = 0;
  for (;;) {
    std::int64_t now = wall_now(), due = 0;
    while ((due = begun + static_cast<std::int64_t>(static_cast<double>(count) * gap)) <=
           std::min(now, stop_at - 1)) {
      ++count;
      start(due);
    }
    pass_timers(now);
    bool over = due >= stop_at;
    if (over && busy_ == 0) return;

    epoll_event events[256];
    int got = epoll_wait(epoll_, events, 256, wait_ms(over ? INT64_MAX : due));
    for (int i = 0; i < got; ++i) {
      if (events[i].data.u64 == 0) {
        stop_at = 0;
        epoll_ctl(epoll_, EPOLL_CTL_DEL, signals_, nullptr);
        continue;
      }
      auto found = connections_.find(events[i].data.u64);
      if (found != connections_.end()) ready(*found->second, events[i].events);
    }
  }
}

int Client::wait_ms(std::int64_t next_due) const {
  std::int64_t next = timers_.empty() ? next_due : std::min(next_due, timers_.top().first);
  if (next == INT64_MAX) return -1;
  return static_cast<int>(std::clamp<std::int64_t>((next - wall_now() + 999'999) / 1'000'000, 0, 1000));
}

void Client::start(std::int64_t due) {
  Request request = mix_.next();
  std::int64_t now = wall_now();
  report_.sent(now);
  report_.late(now - due);
  Connection& connection = connection_for(request);
  connection.request = std::move(request);
  connection.answer = Answer();
  connection.written = 0;
  connection.due = due;
  connection.leaves_at = 0;
  connection.gives_up_at = now + static_cast<std::int64_t>(pace_.timeout_seconds * 1e9);
  timers_.push({connection.gives_up_at, connection.id});
  ++busy_;
  if (connection.fd < 0) return fail(connection, "connect");
  if (connection.connected) write_more(connection);
}

Client::Connection& Client::connection_for(const Request& request) {
  if (!request.fresh && !idle_.empty()) {
    Connection& kept = *connections_.at(idle_.back());
    idle_.pop_back();
    return kept;
  }
  auto made = std::make_unique<Connection>();
  Connection& connection = *made;
  connection.id = next_connection_++;
  connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection.fd < 0) throw std::runtime_error(std::string("socket: ") + std::strerror(errno));
  int on = 1;
  setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connections_.emplace(connection.id, std::move(made));
  if (connect(connection.fd, reinterpret_cast<const sockaddr*>(&target_), sizeof target_) < 0 &&
      errno != EINPROGRESS) {
    close(connection.fd);
    connection.fd = -1;
    return connection;
  }
  epoll_event event{};
  event.events = EPOLLOUT | EPOLLIN | EPOLLRDHUP;
  event.data.u64 = connection.id;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
  return connection;
}

/// Asks for EPOLLOUT only while something waits to be written.
void Client::watch(Connection& connection) {
  epoll_event event{};
  bool writes =
      !connection.connected || (connection.request && connection.written < connection.request->bytes.size());
  event.events = EPOLLIN | EPOLLRDHUP | (writes ? EPOLLOUT : 0U);
  event.data.u64 = connection.id;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

void Client::ready(Connection& connection, std::uint32_t events) {
  if (!connection.request) {  // idle, and the server closed it, or spoke unasked: not a request's business
    std::erase(idle_, connection.id);
    return drop(connection);
  }
  if (!connection.connected) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(connection, "connect");
    if (!(events & EPOLLOUT)) return;
    connection.connected = true;
  }
  std::uint64_t id = connection.id;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) read_more(connection);
  if ((events & EPOLLOUT) && connections_.contains(id) && connection.request) write_more(connection);
}

void Client::write_more(Connection& connection) {
  const Request& request = *connection.request;
  std::size_t size = request.leave == Leave::in_request ? request.bytes.size() / 2 : request.bytes.size();
  while (connection.written < size) {
    ssize_t sent = send(connection.fd, request.bytes.data() + connection.written, size - connection.written,
                        MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return watch(connection);
    // The answer may have come before the request was taken, and say why: reading tells.
    if (sent < 0) return read_more(connection);
    connection.written += static_cast<std::size_t>(sent);
  }
  if (request.leave != Leave::never && connection.leaves_at == 0) {
    connection.leaves_at = wall_now() + kPatienceOfLeaver;
    timers_.push({connection.leaves_at, connection.id});
  }
  watch(connection);
}

void Client::read_more(Connection& connection) {
  char bytes[64 << 10];
  for (;;) {
    ssize_t got = recv(connection.fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      const char* how = got < 0 ? "reset" : "closed";
      return fail(connection,
                  std::string(how) + (connection.answer.begun() ? " in the answer" : " before the answer"));
    }
    switch (connection.answer.take({bytes, static_cast<std::size_t>(got)})) {
      case Answer::State::malformed: return fail(connection, "malformed answer");
      case Answer::State::complete: return finish(connection);
      default: break;
    }
  }
}

void Client::finish(Connection& connection) {
  std::string fault = connection.answer.fault(*connection.request);
  if (!fault.empty()) return fail(connection, fault);
  report_.answered(*connection.request, connection.answer.release(), connection.due, wall_now());
  --busy_;
  bool ends = connection.request->fresh || connection.answer.closes() ||
              connection.written < connection.request->bytes.size();
  connection.request.reset();
  if (ends) return drop(connection);
  watch(connection);
  idle_.push_back(connection.id);
}

void Client::fail(Connection& connection, const std::string& cause) {
  report_.failed(*connection.request, cause, connection.answer.release(), connection.due, wall_now());
  --busy_;
  drop(connection);
}

void Client::drop(Connection& connection) {
  if (connection.fd >= 0) close(connection.fd);
  connections_.erase(connection.id);
}

void Client::pass_timers(std::int64_t now) {
  while (!timers_.empty() && timers_.top().first <= now) {
    auto [at, id] = timers_.top();
    timers_.pop();
    auto found = connections_.find(id);
    if (found == connections_.end() || !found->second->request) continue;
    Connection& connection = *found->second;
    if (connection.leaves_at == at) {
      report_.left(*connection.request, connection.due, now);
      --busy_;
      drop(connection);
    } else if (connection.gives_up_at == at) {
      fail(connection, "timeout");
    }
  }
}

}  // namespace load
