#include "net/handover.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace holdall::net {
namespace {

constexpr std::size_t kLargest = 60 << 10;
constexpr std::size_t kMostFds = 16;

/// False at the deadline.
bool wait_for(const Fd& socket, short events, Deadline deadline) {
  pollfd wait{socket.get(), events, 0};
  for (;;) {
    int ready = poll(&wait, 1, deadline.poll_ms());
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw_errno(Error::broken, "wait for a message", errno);
  }
}

std::vector<Fd> take_fds(msghdr& message) {
  std::vector<Fd> out;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      out.emplace_back(fd);
    }
  }
  return out;
}

}  // namespace

SocketPair handover_pair() {
  int ends[2];
  checked(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), "make a socket pair");
  return {Fd(ends[0]), Fd(ends[1])};
}

bool send(const Fd& socket, const Json& body, const std::vector<int>& fds, Deadline deadline) {
  std::string bytes = body.print();
  if (bytes.size() > kLargest || fds.size() > kMostFds) {
    throw Error(Error::broken,
                fmt::format("a message of {} bytes and {} descriptors is too large for a packet",
                            bytes.size(), fds.size()));
  }
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  for (;;) {
    if (sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return false;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw_errno(Error::broken, "send a message", errno);
    if (!wait_for(socket, POLLOUT, deadline)) {
      throw Error(Error::busy, "the other process did not read its messages in time");
    }
  }
}

std::optional<Handover> receive(const Fd& socket, Deadline deadline) {
  std::string bytes(kLargest, '\0');
  for (;;) {
    iovec part{bytes.data(), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got > 0) {
      Handover out{Json(), take_fds(message)};
      if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        throw Error(Error::invalid, "a message was cut short");
      out.body = Json::parse(std::string_view(bytes.data(), static_cast<std::size_t>(got)));
      return out;
    }
    if (got == 0 || errno == ECONNRESET) throw Error(Error::missing, "the other process has gone");
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw_errno(Error::broken, "receive a message", errno);
    if (!wait_for(socket, POLLIN, deadline)) return std::nullopt;
  }
}

}  // namespace holdall::net
