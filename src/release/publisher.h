#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "release/rows.h"
#include "release/served.h"

namespace holdall::release {

/// The failpoints of one update: `NAME.before` and `NAME.after` of its commit and of its publish.
struct Points {
  std::string commit = "release.table.commit";
  std::string publish = "release.publish";
};

/// The route table follows from three things that change in different threads: what serves, what starts, and
/// which instances are ready. This is the one place that computes it, stores it and sends it, one table after
/// another, so that no thread ever sends a table that is older than what another one has committed.
/// Thread-safe.
class Publisher {
 public:
  /// All of them outlive it.
  Publisher(store::Database& database, supervise::Supervisor& supervisor, router::Router& router,
            const ReleasesOptions& options);

  /// Commits `change` (may be empty) together with the table that then follows, and publishes that table if
  /// it differs from the last one that the router has. An exception out of `change` changes nothing. Throws
  /// `busy` if the router does not answer: `change` is committed then, and `keep_true` goes on. An address
  /// that is in use is no error here (see `unbound`). Returns how long the router took; zero if it has that
  /// table already.
  std::chrono::nanoseconds update(const Points& points,
                                  const std::function<void(store::Transaction&)>& change);

  /// The app's listeners in the newest table that could not be bound; `keep_true` tries them again.
  std::vector<router::Unbound> unbound(const std::string& app);

  /// Publishes whenever readiness changes, until `stop`; what could not be published is tried again.
  /// `published` is called with each snapshot once the table that follows from it was published.
  void keep_true(const std::stop_token& stop,
                 const std::function<void(const supervise::Snapshot&)>& published);

 private:
  bool bind_again();  ///< whether all listeners are bound now
  router::RouteTable table_now(store::Transaction& t, const supervise::Snapshot& snapshot);
  std::shared_ptr<const Served> served(store::Transaction& t, const std::string& app, int number);
  void point(const std::string& name) const;

  store::Database& database_;
  supervise::Supervisor& supervisor_;
  router::Router& router_;
  const ReleasesOptions& options_;

  std::mutex one_at_a_time_;   ///< held through the commit and the publish: that is the order of tables
  router::RouteTable newest_;  ///< as stored
  bool acknowledged_ = false;  ///< the router has `newest_`
  std::vector<router::Unbound> unbound_;  ///< of `newest_`
  using Cache = std::map<std::pair<std::string, int>, std::shared_ptr<const Served>>;
  Cache models_, used_;  ///< parsed models of releases, as long as the table needs them
};

/// A release's row as the route table sees it.
Served served_of(store::Transaction& t, const Row& row);

}  // namespace holdall::release
