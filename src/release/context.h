#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/time.h"
#include "engine/engine.h"
#include "release/news.h"
#include "release/publisher.h"
#include "release/release.h"
#include "router/router.h"
#include "store/store.h"
#include "supervise/supervise.h"

namespace holdall::release {

/// What every release in progress works with. Made once by Releases, and outlives all of them.
struct Context {
  store::Database& database;
  engine::Engine& engine;
  supervise::Supervisor& supervisor;
  router::Router& router;
  const Clock& clock;
  const ReleasesOptions& options;
  Publisher& publisher;
  News& news;

  /// A crash test may stop here: `release.NAME`.
  void point(const std::string& name) const;

  /// `work` between the failpoints release.NAME.before and release.NAME.after.
  void act(const std::string& name, const std::function<void()>& work) const;

  /// Commits `work` between release.NAME.commit.before and .after, and tells the news.
  void commit(const std::string& name, const std::function<void(store::Transaction&)>& work) const;

  /// Commits `work` with the table that follows from it, publishes, and tells the news. `publish` names its
  /// points. Returns how long the publish took.
  std::chrono::nanoseconds commit_and_publish(const std::string& name, const std::string& publish,
                                              const std::function<void(store::Transaction&)>& work) const;

  /// Waits until no instance of these groups is left; false once `stop` is requested.
  bool wait_gone(const std::vector<GroupId>& groups, const std::stop_token& stop) const;

  /// `router.drain` as the act NAME, for at most `span`. Incomplete if the router cannot say, or `stop` is
  /// requested.
  router::Router::Drained drain(const std::string& name, const std::vector<InstanceId>& targets,
                                std::chrono::nanoseconds span, const std::stop_token& stop) const;
};

/// The longest drain that any service of the app asks for.
std::chrono::nanoseconds drain_timeout(const app::App& app);

/// Every instance of these groups.
std::vector<InstanceId> targets_of(const std::vector<GroupId>& groups, const supervise::Snapshot& snapshot);

/// How long a release in progress may fail to notice that it is to stop, or was cancelled, while it waits for
/// instances.
constexpr auto kNoticeSlice = std::chrono::milliseconds(50);

}  // namespace holdall::release
