#include "net/socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace holdall::net {
namespace {

void set_option(const Fd& socket, int level, int option, int value) {
  checked(setsockopt(socket.get(), level, option, &value, sizeof value), "set a socket option");
}

/// Nothing (and errno) where the kernel has no such family.
Fd open_stream(int family, int flags) { return Fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)); }

[[noreturn]] void throw_connect(const Address& address, int error) {
  std::string doing = fmt::format("connect to {}", text(address));
  switch (error) {
    case ECONNREFUSED:
    case ENOENT:
    case ENOTDIR:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case ECONNRESET: throw_errno(Error::missing, doing, error);
    case EACCES:
    case EPERM: throw_errno(Error::denied, doing, error);
    case EAGAIN:
    case ETIMEDOUT: throw Error(Error::busy, doing + ": no answer in time");
    default: throw_errno(Error::failed, doing, error);
  }
}

[[noreturn]] void throw_bind(const Address& address, int error) {
  std::string where = text(address);
  if (error == EADDRINUSE) throw Error(Error::conflict, fmt::format("address {} is in use", where));
  if (error == EACCES || error == EPERM) throw_errno(Error::denied, "listen on " + where, error);
  throw_errno(Error::invalid, "listen on " + where, error);
}

/// Removes a socket's file that a process left behind; one that somebody listens on stays and is a conflict.
void remove_stale(const Address& address) {
  struct stat info;
  if (lstat(address.path.c_str(), &info) != 0) return;
  if (!S_ISSOCK(info.st_mode)) {
    throw Error(Error::conflict, fmt::format("'{}' exists and is no socket: move it away", address.path));
  }
  SocketAddress where = socket_address(address);
  Fd probe = open_stream(AF_UNIX, SOCK_NONBLOCK);
  bool refused = connect(probe.get(), where.get(), where.size) != 0 && errno == ECONNREFUSED;
  if (!refused) throw_bind(address, EADDRINUSE);
  unlink(address.path.c_str());
}

/// A bound socket, or the errno. `family` decides how "all addresses" is written.
int bind_stream(const Address& address, int family, Fd& out) {
  SocketAddress where = socket_address(address);
  if (family == AF_INET && address.host.empty()) where = socket_address({"0.0.0.0", address.port, ""});
  out = open_stream(family, SOCK_NONBLOCK);
  if (!out) return errno;
  if (family != AF_UNIX) set_option(out, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == AF_INET6) set_option(out, IPPROTO_IPV6, IPV6_V6ONLY, address.host.empty() ? 0 : 1);
  return ::bind(out.get(), where.get(), where.size) == 0 ? 0 : errno;
}

/// As above; "all addresses" falls back to IPv4 where IPv6 is switched off.
int bind_any_family(const Address& address, Fd& out) {
  int family = socket_address(address).storage.ss_family;
  int error = bind_stream(address, family, out);
  bool no_v6 = error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
  if (no_v6 && !address.is_unix() && address.host.empty()) error = bind_stream(address, AF_INET, out);
  return error;
}

/// A unix connect cannot be polled while the listener's backlog is full, so it blocks, and SO_SNDTIMEO bounds
/// it.
Fd connect_unix(const Address& address, Deadline deadline) {
  Fd out = open_stream(AF_UNIX, 0);
  if (!out) throw_connect(address, errno);
  timeval patience{};
  if (int ms = deadline.poll_ms(); ms >= 0) {
    patience.tv_sec = ms / 1000;
    // Zero would mean for ever.
    patience.tv_usec = std::max(ms % 1000 * 1000, 1);
  }
  checked(setsockopt(out.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), "set a socket option");
  SocketAddress where = socket_address(address);
  while (connect(out.get(), where.get(), where.size) != 0) {
    if (errno != EINTR) throw_connect(address, errno);
  }
  patience = {};
  checked(setsockopt(out.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), "set a socket option");
  checked(fcntl(out.get(), F_SETFL, O_NONBLOCK), "set a socket option");
  return out;
}

Fd connect_tcp(const Address& address, Deadline deadline) {
  SocketAddress where = socket_address(address);
  Fd out = open_stream(where.storage.ss_family, SOCK_NONBLOCK);
  if (!out) throw_connect(address, errno);
  set_option(out, IPPROTO_TCP, TCP_NODELAY, 1);
  if (connect(out.get(), where.get(), where.size) == 0) return out;
  if (errno != EINPROGRESS && errno != EINTR) throw_connect(address, errno);
  pollfd wait{out.get(), POLLOUT, 0};
  int ready;
  while ((ready = poll(&wait, 1, deadline.poll_ms())) < 0 && errno == EINTR) {
  }
  if (ready == 0) throw_connect(address, ETIMEDOUT);
  int error = 0;
  socklen_t size = sizeof error;
  checked(getsockopt(out.get(), SOL_SOCKET, SO_ERROR, &error, &size), "read a socket's error");
  if (error) throw_connect(address, error);
  return out;
}

}  // namespace

Fd listen(const Address& address, int backlog) {
  if (address.is_unix()) {
    socket_address(address);  // refuses a path that is too long before anything is touched
    remove_stale(address);
  }
  Fd out;
  if (int error = bind_any_family(address, out)) throw_bind(address, error);
  if (::listen(out.get(), backlog) != 0) throw_bind(address, errno);
  return out;
}

Fd connect(const Address& address, Deadline deadline) {
  return address.is_unix() ? connect_unix(address, deadline) : connect_tcp(address, deadline);
}

Peer peer(const Fd& socket) {
  int family = 0;
  socklen_t length = sizeof family;
  checked(getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &length), "ask for a socket's family");
  if (family != AF_UNIX) return {};
  ucred credentials{};
  socklen_t size = sizeof credentials;
  checked(getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size), "ask who the peer is");
  return {credentials.uid, credentials.gid, credentials.pid};
}

bool port_is_free(std::uint16_t port) {
  Fd probe;
  // With SO_REUSEADDR only a listener (or a socket that will be one) stands in the way, on whichever address.
  return bind_any_family({"", port, ""}, probe) == 0;
}

}  // namespace holdall::net
