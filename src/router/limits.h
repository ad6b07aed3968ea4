#pragma once

#include <chrono>
#include <cstddef>

namespace holdall::router {

/// The router's own bounds, the same for every app. Tests shorten them.
struct Limits {
  // Of a request's head. Browsers send under 8 KiB; cookies of a careless app reach 16.
  std::size_t largest_head = 32 << 10;
  // Requests waiting for an instance in one worker. At about 2 KiB each they cost 20 MB, once, in a bad
  // moment.
  std::size_t held = 10'000;
  // Idle connections to one target in one worker: more are closed, since they bind memory in the app.
  std::size_t pooled = 128;
  // From the first byte of a head (or the accept) to its last: a client that needs longer holds a connection
  // on purpose.
  std::chrono::milliseconds head{10'000};
  // A connection without a request. Browsers keep theirs for 60 s to 5 min.
  std::chrono::milliseconds idle{75'000};
  // The same in a router that another one replaces: who has asked nothing for so long can be hung up on.
  std::chrono::milliseconds idle_at_end{15'000};
  // A SYN that was dropped is sent again after 1 s, so that two of them fit.
  std::chrono::milliseconds connect{3'000};
  // A client that neither takes its answer nor sends its body.
  std::chrono::milliseconds client_stall{60'000};
  // Protocols in which the server speaks first begin after this silence.
  std::chrono::milliseconds sniff{100};
  // What a client still sends is read and thrown away for so long, lest a reset destroy the answer on its
  // way.
  std::chrono::milliseconds linger{2'000};
  // A request that must not be sent twice takes a pooled connection only if it was in use so recently that no
  // common server has given it up (the shortest keep-alive timeout in use is 2 s); else it takes a new one.
  std::chrono::milliseconds fresh_enough{1'000};
  // And only if its instance has shown that it does not hang up right after an answer: an idle connection has
  // lived for so long, and none was closed while it was fresh.
  std::chrono::milliseconds kept_proof{100};
  std::chrono::milliseconds pooled_idle{30'000};
  // Timeouts are looked for this often; also how often a held request tries targets again that accept
  // nothing.
  std::chrono::milliseconds sweep{100};
};

}  // namespace holdall::router
