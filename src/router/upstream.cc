#include "router/upstream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "router/exchange.h"

namespace holdall::router {
namespace {

// No more is to be expected from it than the next request's answer, and the instance has not hung up.
bool is_quiet(const Upstream& upstream) {
  char byte;
  ssize_t got = recv(upstream.socket.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && errno == EAGAIN;
}

// Where nobody listens on a port that the kernel also gives to outgoing connections, one to it may be given
// that very port and meet itself.
bool meets_itself(int fd, const net::SocketAddress& address) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0 && own.ss_family != AF_UNIX &&
         net::address_of(own) == net::address_of(address.storage);
}

}  // namespace

Upstream::Upstream(Workspace& work, LiveTarget& target, Fd fd)
    : socket(std::move(fd)), target(target), work_(work) {
  ++target.connections;
}

Upstream::~Upstream() { close(); }

void Upstream::close() {
  socket.close();
  if (!counted_) return;
  counted_ = false;
  --target.connections;
  if (target.watched && target.unused()) work_.on_unused();
}

void Upstream::on_event(std::uint32_t events) {
  if (!socket.open()) return;
  socket.note(events);
  if (user) return user->on_upstream();
  if (!socket.readable()) return;
  // Pooled, and the instance hung up or said something unasked: of no more use.
  auto& pooled = target.workers[work_.index].pooled;
  auto self =
      std::find_if(pooled.begin(), pooled.end(), [this](const auto& one) { return one.get() == this; });
  if (self == pooled.end()) return;
  if (work_.now - idle_since < work_.limits.fresh_enough) target.workers[work_.index].keeps = false;
  auto kept = std::move(*self);
  pooled.erase(self);
  discard(work_, std::move(kept));
}

int Upstream::connect_error() const {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) < 0) return errno;
  if (error != 0) return error;
  return socket.writable() ? 0 : EINPROGRESS;
}

std::unique_ptr<Upstream> connect_to(Workspace& work, LiveTarget& target) {
  const net::SocketAddress& address = target.address;
  Fd fd(::socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return nullptr;
  int on = 1;
  if (!target.target.address.is_unix()) setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd.get(), address.get(), address.size) < 0 && errno != EINPROGRESS) return nullptr;
  if (meets_itself(fd.get(), address)) return nullptr;
  auto upstream = std::make_unique<Upstream>(work, target, std::move(fd));
  work.watch(upstream->socket.fd(), *upstream);
  return upstream;
}

std::unique_ptr<Upstream> take_pooled(Workspace& work, LiveTarget& target, bool replayable) {
  LiveTarget::PerWorker& mine = target.workers[work.index];
  auto& pooled = mine.pooled;
  if (!replayable && !mine.keeps) {
    mine.keeps = !pooled.empty() && work.now - pooled.front()->idle_since >= work.limits.kept_proof;
    if (!mine.keeps) return nullptr;
  }
  while (!pooled.empty()) {
    // The rest have waited longer still.
    if (!replayable && work.now - pooled.back()->idle_since >= work.limits.fresh_enough) return nullptr;
    auto upstream = std::move(pooled.back());
    pooled.pop_back();
    if (replayable || is_quiet(*upstream)) return upstream;
    discard(work, std::move(upstream));
  }
  return nullptr;
}

void put_back(Workspace& work, std::unique_ptr<Upstream> upstream) {
  LiveTarget::PerWorker& mine = upstream->target.workers[work.index];
  const StreamSocket& socket = upstream->socket;
  bool odd = socket.readable() || socket.peer_closed() || socket.broken() || socket.pending();
  if (odd || !mine.in_table || work.ending || mine.pooled.size() >= work.limits.pooled) {
    return discard(work, std::move(upstream));
  }
  upstream->user = nullptr;
  upstream->input = {};
  upstream->idle_since = work.now;
  mine.pooled.push_back(std::move(upstream));
}

void close_pooled(Workspace& work, LiveTarget& target) {
  for (auto& upstream : std::exchange(target.workers[work.index].pooled, {}))
    discard(work, std::move(upstream));
}

void close_stale(Workspace& work, LiveTarget& target) {
  auto& pooled = target.workers[work.index].pooled;
  while (!pooled.empty() && work.now - pooled.front()->idle_since >= work.limits.pooled_idle) {
    auto upstream = std::move(pooled.front());
    pooled.erase(pooled.begin());
    discard(work, std::move(upstream));
  }
}

void discard(Workspace& work, std::unique_ptr<Upstream> upstream) {
  upstream->user = nullptr;
  upstream->close();
  work.gone_upstreams.push_back(std::move(upstream));
}

}  // namespace holdall::router
