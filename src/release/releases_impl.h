#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/tasks.h"
#include "release/admission.h"
#include "release/context.h"
#include "release/found.h"
#include "release/plan.h"
#include "release/publisher.h"
#include "release/release.h"
#include "release/rollout.h"
#include "release/teardown.h"

namespace holdall::release {

/// What releases.cc, which changes things, and releases_read.cc have in common.
struct Releases::Impl {
  Impl(store::Database& database, engine::Engine& engine, supervise::Supervisor& supervisor,
       router::Router& router, const Clock& clock, ReleasesOptions given)
      : options(std::move(given)),
        publisher(database, supervisor, router, options),
        context{database, engine, supervisor, router, clock, options, publisher, news} {}

  void roll_out(const std::string& app, int number) {
    tasks.start(
        fmt::format("release {} of {}", version(number), app),
        [this, app, number](const std::stop_token& stop) { Rollout(context, app, number).run(stop); });
  }

  void destroy(const std::string& app) {
    if (!tearing.lock()->insert(app).second) return;
    tasks.start("destruction of " + app, [this, app](const std::stop_token& stop) {
      tear_down(context, app, stop);
      tearing.lock()->erase(app);
    });
  }

  /// Instances whose place another one took finish what they have, then they are let go.
  void drain_leaving(const supervise::Snapshot& snapshot) {
    for (const supervise::Leaving& one : snapshot.leaving) {
      if (!leaving.lock()->insert(one.id).second) continue;
      tasks.start("drain of " + one.id.value, [this, one](const std::stop_token& stop) {
        context.drain("leave.drain", {one.id}, one.until - context.clock.now(), stop);
        if (!stop.stop_requested()) context.supervisor.let_go(one.id);
        leaving.lock()->erase(one.id);
      });
    }
  }

  template <typename Read>
  auto read(Read&& work) const {
    std::invoke_result_t<Read, store::Transaction&> result;
    context.database.read([&](store::Transaction& t) { result = work(t); });
    return result;
  }

  /// Throws `busy` at the deadline.
  void wait_destroyed(const std::string& app, Deadline deadline) {
    for (;;) {
      const std::uint64_t told = news.told();
      const auto row = read([&](store::Transaction& t) { return find_app(t, app); });
      if (!row || !row->destroying) return;
      if (!news.wait(told, deadline)) {
        throw Error(Error::busy, fmt::format("{} is still being stopped; call again to wait on", app));
      }
    }
  }

  /// A release whose request is that of the serving one, changed. Nothing if it would change nothing.
  std::optional<Release> again(const std::string& app, const std::string& by, const std::string& key,
                               const std::function<void(Request&)>& change) {
    const Instant accepted = context.clock.now();
    std::optional<Row> begun;
    Wish wish = read([&](store::Transaction& t) {
      const std::optional<int> number = key.empty() ? std::nullopt : number_of_key(t, app, key);
      if (number) begun = find_row(t, app, *number);
      if (begun) return Wish{};
      check_still(t, app, context.clock);
      Row serving = must_serve(t, app);
      return Wish{.request = std::move(serving.request), .of = serving.release.number};
    });
    if (begun) return shown(begun->release);
    wish.accepted = accepted;
    wish.request.by = by;
    wish.request.key = key;
    wish.request.release_commands = false;
    change(wish.request);
    const auto admitted = admit(context, wish);
    if (!admitted) return std::nullopt;
    if (admitted->fresh) roll_out(app, admitted->row.release.number);
    return shown(admitted->row.release);
  }

  /// The groups of these services (none: of all) of what serves, in the order of starting, each with its
  /// replicas.
  std::vector<std::pair<GroupId, int>> serving_groups(const std::string& app,
                                                      const std::set<std::string>& services) {
    return read([&](store::Transaction& t) {
      check_still(t, app, context.clock);
      const Row serving = must_serve(t, app);
      const app::App model = app_of(serving.request);
      for (const std::string& service : services) check_service(model, service);
      std::vector<std::pair<GroupId, int>> groups;
      for (const std::string& service : start_order(model)) {
        if (!services.empty() && !services.contains(service)) continue;
        groups.emplace_back(serving.groups.at(service), model.services.at(service).replicas);
      }
      return groups;
    });
  }

  const ReleasesOptions options;
  News news;
  Publisher publisher;
  Context context;
  Guarded<std::set<std::string>> tearing;  ///< apps that a task is destroying
  Guarded<std::set<InstanceId>> leaving;   ///< that a task is draining
  TaskGroup tasks;                         ///< last: what it runs uses all of the above
};

}  // namespace holdall::release
