#pragma once

#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/json.h"
#include "base/time.h"

namespace holdall::net {

/// One message between Holdall's own processes (serve, control, router): a JSON object of at most 60 KiB, and
/// up to 16 descriptors that travel with it. What is larger goes as a sealed memfd. docs/formats/processes.md
/// lists them all.
struct Handover {
  Json body;
  std::vector<Fd> fds;
};

struct SocketPair {
  Fd first, second;
};
/// A SOCK_SEQPACKET pair, close-on-exec, non-blocking.
SocketPair handover_pair();

/// False if the other end is gone. Waits while its queue is full, until the deadline; throws `busy` then.
bool send(const Fd& socket, const Json& body, const std::vector<int>& fds, Deadline deadline);

/// The next message; nothing at the deadline. Throws `missing` when the other end is gone, `invalid` for a
/// packet that is no message (its descriptors are closed).
std::optional<Handover> receive(const Fd& socket, Deadline deadline);

}  // namespace holdall::net
