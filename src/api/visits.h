#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/guarded.h"
#include "net/server.h"

namespace holdall::api {

/// A call is checked when it begins; what it opens, a stream or a program's connection, may go on for days.
/// This knows what is open, and ends what is no longer allowed. Thread-safe.
class Visits {
 public:
  /// Asked in whatever thread calls `watch` or `look`; does not wait.
  using Allowed = std::function<bool()>;

  /// Watches what the response leaves open, if anything: its stream or its upgraded connection. Once `look`
  /// finds that it is not allowed, a stream ends and a connection is cut, with the program at its other end.
  void watch(net::Response& response, Allowed allowed);

  /// Rights have changed: asks about everything that is open. What was not allowed is ending on return.
  void look();

  class Open;

 private:
  Guarded<std::vector<std::weak_ptr<Open>>> open_;
};

}  // namespace holdall::api
