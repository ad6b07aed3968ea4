#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "api/feed.h"
#include "base/guarded.h"
#include "release/release.h"
#include "supervise/supervise.h"

namespace holdall::api {

/// The life of a private server: it lasts as long as somebody holds a session open, or after one has detached
/// until it is told to stop. Its end stops every instance in reverse order of starting, then serve.
/// Thread-safe.
class Sessions {
 public:
  using Destroy = std::function<void(const std::string& app, Deadline)>;

  /// `detached` is the file that says, over a restart of control, that nobody needs to hold a session.
  Sessions(release::Releases& releases, supervise::Supervisor& supervisor, std::filesystem::path detached,
           Destroy destroy, std::function<void()> exit);
  ~Sessions();

  /// A session that lasts until it is destroyed.
  std::unique_ptr<net::StreamSource> open();
  void detach();

  /// Stops everything; an event for each instance that is gone.
  std::unique_ptr<net::StreamSource> stop_everything();

  /// From now on sessions that close stop nothing: control itself is ending.
  void leave();

 private:
  class Source;

  struct State {
    int open = 0;
    bool detached = false, stopping = false, leaving = false;
    bool done = false;  ///< every instance is stopped
  };

  void closed();
  void begin_stop();
  void stop_apps();
  void stop_app(const std::string& app);
  void tell_stopped(Feed& feed, const std::stop_token& stop, const supervise::Snapshot& first);

  release::Releases& releases_;
  supervise::Supervisor& supervisor_;
  const std::filesystem::path detached_file_;
  const Destroy destroy_;
  const std::function<void()> exit_;
  Guarded<State> state_;
  TaskGroup tasks_;
};

}  // namespace holdall::api
