#include "release/publisher.h"

#include <string>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"

namespace holdall::release {
namespace {

// After a table that could not be published: a router that is being started again is back in tens of
// milliseconds.
constexpr auto kRetryPause = std::chrono::milliseconds(500);

// Between tries to bind an address that somebody else has: they keep it for long, and a try costs little.
constexpr auto kBindPause = std::chrono::seconds(1);

// Between looks while nothing happens. What calls for one wakes us; but for an address that another thread's
// table found taken, which few will miss for so long.
constexpr auto kIdlePause = std::chrono::seconds(10);

}  // namespace

Served served_of(store::Transaction& t, const Row& row) {
  return {app_of(row.request), row.request.development, row.groups, service_ports(t, row.release.app)};
}

Publisher::Publisher(store::Database& database, supervise::Supervisor& supervisor, router::Router& router,
                     const ReleasesOptions& options)
    : database_(database), supervisor_(supervisor), router_(router), options_(options) {
  database_.read([&](store::Transaction& t) {
    if (const auto table = stored_table(t)) newest_ = router::parse_table(*table);
  });
}

void Publisher::point(const std::string& name) const {
  if (options_.at_point) options_.at_point(name.c_str());
  failpoint(name.c_str());
}

std::shared_ptr<const Served> Publisher::served(store::Transaction& t, const std::string& app, int number) {
  const std::pair key{app, number};
  if (const auto known = models_.find(key); known != models_.end()) return used_[key] = known->second;
  const std::optional<Row> row = find_row(t, app, number);
  if (!row) throw Error(Error::broken, "release " + std::to_string(number) + " of " + app + " has no row");
  return used_[key] = std::make_shared<const Served>(served_of(t, *row));
}

router::RouteTable Publisher::table_now(store::Transaction& t, const supervise::Snapshot& snapshot) {
  used_.clear();
  std::vector<AppInTable> apps;
  for (const AppRow& app : all_apps(t)) {
    if (app.destroying) continue;
    AppInTable entry;
    if (app.maintenance) entry.maintenance = app.maintenance->hold;
    if (app.serving) entry.serving = served(t, app.name, *app.serving).get();
    const std::optional<int> moving = moving_number(t, app.name);
    if (moving && moving != app.serving && step_of(t, app.name, *moving) == Step::start) {
      entry.coming = served(t, app.name, *moving).get();
    }
    apps.push_back(entry);
  }
  router::RouteTable table = make_table(options_.http, apps, snapshot);
  models_ = used_;
  return table;
}

std::chrono::nanoseconds Publisher::update(const Points& points,
                                           const std::function<void(store::Transaction&)>& change) {
  std::lock_guard lock(one_at_a_time_);
  const std::shared_ptr<const supervise::Snapshot> snapshot = supervisor_.snapshot();
  router::RouteTable next;
  bool differs = false;
  const auto compute = [&](store::Transaction& t) {
    next = table_now(t, *snapshot);
    next.version = newest_.version;
    differs = !acknowledged_ || next != newest_;
  };
  if (!change) {
    database_.read(compute);
    if (!differs) return {};
  }
  point(points.commit + ".before");
  database_.write([&](store::Transaction& t) {
    if (change) change(t);
    compute(t);
    if (!differs) return;
    ++next.version;
    store_table(t, next.version, router::to_json(next));
  });
  point(points.commit + ".after");
  if (!differs) return {};
  newest_ = next;
  acknowledged_ = false;
  point(points.publish + ".before");
  const Instant began = BootClock::now();
  unbound_ = router_.publish(newest_, Deadline::after(options_.publish_timeout));
  const Instant ended = BootClock::now();
  acknowledged_ = true;
  point(points.publish + ".after");
  for (const router::Unbound& one : unbound_) {
    log::warning("release.listen", one.problem, Json::object({{"listener", one.listener.name}}));
  }
  return ended - began;
}

std::vector<router::Unbound> Publisher::unbound(const std::string& app) {
  std::lock_guard lock(one_at_a_time_);
  std::vector<router::Unbound> own = unbound_;
  std::erase_if(own, [&](const router::Unbound& one) { return !one.listener.pool.starts_with(app + "/"); });
  return own;
}

bool Publisher::bind_again() {
  std::lock_guard lock(one_at_a_time_);
  if (unbound_.empty()) return true;
  std::vector<router::Listener> listeners;
  for (const router::Unbound& one : unbound_) listeners.push_back(one.listener);
  unbound_ = router_.bind(listeners);
  if (unbound_.size() < listeners.size()) {
    log::info("release.listen",
              std::to_string(listeners.size() - unbound_.size()) + " listeners bound at last");
  }
  return unbound_.empty();
}

void Publisher::keep_true(const std::stop_token& stop,
                          const std::function<void(const supervise::Snapshot&)>& published) {
  std::uint64_t seen = 0;
  bool behind = true;
  bool bound = false;
  Instant bind_due = Instant::min();
  while (!stop.stop_requested()) {
    const auto snapshot = supervisor_.snapshot();
    const std::uint64_t now = snapshot->version;
    if (behind || now != seen) {
      try {
        update({}, nullptr);
        published(*snapshot);
        behind = false;
      } catch (const Error& error) {
        log::warning("release.publish", error.what());
        behind = true;
      }
      seen = now;
    }
    if (BootClock::now() >= bind_due) {
      try {
        bound = bind_again();
      } catch (const Error& error) {
        log::warning("release.listen", error.what());
      }
      bind_due = BootClock::now() + kBindPause;
    }
    const std::chrono::nanoseconds pause = behind ? kRetryPause : bound ? kIdlePause : kBindPause;
    supervisor_.wait(seen, Deadline::after(pause), stop);
  }
}

}  // namespace holdall::release
