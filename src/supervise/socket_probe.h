#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "supervise/supervise.h"
#include "supervise/watch.h"

namespace holdall::supervise {

/// One connection to an instance, and with a path one GET on it. Never blocks: `go_on` does what can be done
/// now.
class SocketProbe {
 public:
  SocketProbe(const Gate& gate, const net::Address& address, Instant now);

  /// The verdict once there is one; otherwise it is asked again when the descriptor is ready or the deadline
  /// has passed.
  std::optional<Verdict> go_on(Instant now);

  int fd() const { return socket_.get(); }
  bool wants_write() const { return step_ == Step::connect || step_ == Step::send; }
  Instant deadline() const { return deadline_; }

 private:
  enum class Step { connect, send, receive };

  std::optional<Verdict> finish_connect();
  std::optional<Verdict> send_request();
  std::optional<Verdict> receive_answer();
  std::optional<Verdict> judge(bool ended);
  Verdict failed(std::string why) const;

  Gate gate_;
  net::Address address_;
  Instant deadline_;
  Fd socket_;
  Step step_ = Step::connect;
  int connect_error_ = 0;
  std::string unsent_, answer_;
};

}  // namespace holdall::supervise
