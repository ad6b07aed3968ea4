#include "router/workspace.h"

#include <sys/epoll.h>

#include "router/client.h"
#include "router/exchange.h"
#include "router/upstream.h"

namespace holdall::router {

Workspace::Workspace(std::size_t index, const Limits& limits, ReleaseCounters& unplaced,
                     std::atomic<std::uint64_t>& dropped)
    : index(index),
      limits(limits),
      unplaced(unplaced),
      epoll(checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll")),
      log(dropped),
      buffer(std::make_unique_for_overwrite<char[]>(kHeadroom + kReceive)) {}

Workspace::~Workspace() = default;

void Workspace::bury() {
  gone_exchanges.clear();
  gone_clients.clear();
  gone_upstreams.clear();
}

void Workspace::watch(int fd, EventSink& sink) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &sink;
  checked(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event), "watch a connection");
}

}  // namespace holdall::router
