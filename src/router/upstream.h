#pragma once

#include <memory>
#include <string>

#include "router/stream_socket.h"
#include "router/workspace.h"

namespace holdall::router {

/// A connection to an instance: in use by one exchange, or pooled. Counts itself in its target.
class Upstream final : public EventSink {
 public:
  Upstream(Workspace& work, LiveTarget& target, Fd fd);
  ~Upstream() override;

  void on_event(std::uint32_t events) override;
  void close();  ///< the object stays until the end of the round

  /// 0 once the connection is made; before that EINPROGRESS; else why it was not.
  int connect_error() const;

  StreamSocket socket;
  LiveTarget& target;
  Exchange* user = nullptr;
  std::string input;  ///< the part of a head that has come
  Instant idle_since{};

 private:
  Workspace& work_;
  bool counted_ = true;
};

/// Begins to connect; nullptr if that failed at once.
std::unique_ptr<Upstream> connect_to(Workspace& work, LiveTarget& target);

/// The pooled connection used last, or nullptr. `replayable`: the request may be sent again if the instance
/// has closed the connection meanwhile. Otherwise only one counts that is fresh enough and looks alive.
std::unique_ptr<Upstream> take_pooled(Workspace& work, LiveTarget& target, bool replayable);

/// Keeps it for the next request, or closes it: if its target has left the table, or anything about it is
/// odd.
void put_back(Workspace& work, std::unique_ptr<Upstream> upstream);

void close_pooled(Workspace& work, LiveTarget& target);
void close_stale(Workspace& work, LiveTarget& target);

/// Closes it now; the object goes at the end of the round.
void discard(Workspace& work, std::unique_ptr<Upstream> upstream);

}  // namespace holdall::router
