#pragma once

#include "base/fd.h"
#include "base/time.h"
#include "net/address.h"

namespace holdall::net {

/// A bound, listening, non-blocking, close-on-exec socket with SO_REUSEADDR. A TCP one on all addresses is
/// dual-stack (falls back to IPv4 where IPv6 is off). An existing unix socket file that nobody listens on is
/// replaced. Throws `conflict` if the address is in use (naming it), `denied` if it may not be bound.
Fd listen(const Address& address, int backlog = 4096);

/// A connected, non-blocking stream. Throws `missing` when nobody listens there, `busy` at the deadline.
Fd connect(const Address& address, Deadline deadline);

/// Who is at the other end. Unknown (a TCP peer) is nobody, never root.
struct Peer {
  unsigned uid = ~0U, gid = ~0U;
  int pid = 0;
};
/// SO_PEERCRED of a unix stream; nobody for another socket.
Peer peer(const Fd& socket);

/// Whether this TCP port could be bound now on all addresses: nobody listens on it, on any.
bool port_is_free(std::uint16_t port);

}  // namespace holdall::net
