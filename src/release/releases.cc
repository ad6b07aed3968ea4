#include <fmt/format.h>
#include <signal.h>

#include <ranges>
#include <set>

#include "base/error.h"
#include "base/guarded.h"
#include "base/tasks.h"
#include "release/admission.h"
#include "release/context.h"
#include "release/plan.h"
#include "release/publisher.h"
#include "release/release.h"
#include "release/report.h"
#include "release/resolve.h"
#include "release/rollout.h"
#include "release/rows.h"
#include "release/teardown.h"
#include "release/variables.h"

namespace holdall::release {
namespace {

Release shown(Release release) {
  release.report = public_report(std::move(release.report));
  return release;
}

[[noreturn]] void no_app(const std::string& app) {
  throw Error(Error::missing, fmt::format("no app '{}'", app));
}

[[noreturn]] void no_release(const std::string& app, int number) {
  throw Error(Error::missing, fmt::format("{} has no release {}", app, version(number)));
}

Row must_find(store::Transaction& t, const std::string& app, int number) {
  std::optional<Row> row = find_row(t, app, number);
  if (!row) no_release(app, number);
  return std::move(*row);
}

Row must_serve(store::Transaction& t, const std::string& app) {
  const std::optional<AppRow> row = find_app(t, app);
  if (!row) no_app(app);
  if (!row->serving) throw Error(Error::missing, fmt::format("no release of {} serves", app));
  return must_find(t, app, *row->serving);
}

const app::Service& check_service(const app::App& app, const std::string& name) {
  const auto found = app.services.find(name);
  if (found != app.services.end()) return found->second;
  throw Error(Error::missing, fmt::format("{} has no service '{}'; it has: {}", app.name, name,
                                          fmt::join(app.service_order, ", ")));
}

void kill_if_there(supervise::Supervisor& supervisor, const InstanceId& id) {
  try {
    supervisor.signal(id, SIGKILL);
  } catch (const Error& error) {
    if (error.kind() != Error::missing) throw;
  }
}

// As in a compose file.
constexpr int kMostReplicas = 1'000;

}  // namespace

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

Releases::Releases(store::Database& database, engine::Engine& engine, supervise::Supervisor& supervisor,
                   router::Router& router, const Clock& clock, ReleasesOptions options)
    : impl_(std::make_unique<Impl>(database, engine, supervisor, router, clock, std::move(options))) {
  impl_->tasks.start("publisher", [impl = impl_.get()](const std::stop_token& stop) {
    impl->publisher.keep_true(stop,
                              [&](const supervise::Snapshot& snapshot) { impl->drain_leaving(snapshot); });
  });
  const auto unfinished = impl_->read([](store::Transaction& t) {
    std::vector<std::pair<AppRow, std::optional<int>>> found;
    for (const AppRow& app : all_apps(t)) found.emplace_back(app, moving_number(t, app.name));
    return found;
  });
  for (const auto& [app, moving] : unfinished) {
    if (app.destroying) impl_->destroy(app.name);
    if (moving) impl_->roll_out(app.name, *moving);
  }
}

Releases::~Releases() { impl_->tasks.stop(); }

Plan Releases::plan(const Request& request) const { return plan_of(impl_->context, request); }

std::optional<Release> Releases::deploy(const Request& request) {
  const auto admitted = admit(impl_->context, {request, std::nullopt, impl_->context.clock.now()});
  if (!admitted) return std::nullopt;
  if (admitted->fresh) impl_->roll_out(admitted->row.release.app, admitted->row.release.number);
  return shown(admitted->row.release);
}

Release Releases::rollback(const std::string& app, std::optional<int> number, const std::string& by,
                           const std::string& key) {
  const Instant accepted = impl_->context.clock.now();
  std::optional<int> begun;
  Wish wish = impl_->read([&](store::Transaction& t) {
    if (!key.empty()) begun = number_of_key(t, app, key);
    if (begun) return Wish{};
    const std::optional<AppRow> row = find_app(t, app);
    if (!row) no_app(app);
    check_still(t, app, impl_->context.clock);
    if (!row->serving) throw Error(Error::missing, fmt::format("no release of {} serves", app));
    if (!number) number = must_find(t, app, *row->serving).replaces;
    if (!number) {
      throw Error(Error::missing,
                  fmt::format("no release of {} served before {}", app, version(*row->serving)));
    }
    if (number == row->serving) {
      throw Error(Error::conflict, fmt::format("{} of {} serves already", version(*number), app));
    }
    const Row target = must_find(t, app, *number);
    if (target.release.step != Step::live) {
      throw Error(Error::conflict,
                  fmt::format("{} of {} never served: {}", version(*number), app, target.release.reason));
    }
    return Wish{target.request, number, Instant()};
  });
  if (begun) return get(app, *begun);
  wish.accepted = accepted;
  wish.request.by = by;
  wish.request.key = key;
  wish.request.release_commands = false;
  const auto admitted = admit(impl_->context, wish);
  if (admitted->fresh) impl_->roll_out(app, admitted->row.release.number);
  return shown(admitted->row.release);
}

std::optional<Release> Releases::scale(const std::string& app, const std::map<std::string, int>& replicas,
                                       const std::set<std::string>& reset, const std::string& by,
                                       const std::string& key) {
  return impl_->again(app, by, key, [&](Request& request) {
    const app::App written = app::parse_model(request.model);
    for (const std::string& service : reset) check_service(written, service);
    for (const std::string& service : reset) request.scale.erase(service);
    for (const auto& [service, count] : replicas) {
      if (count < 0 || count > kMostReplicas) {
        throw Error(Error::invalid,
                    fmt::format("{}={}: a service has 0 to {} replicas", service, count, kMostReplicas));
      }
      request.scale.erase(service);
      if (check_service(written, service).replicas != count) request.scale[service] = count;
    }
  });
}

Release Releases::restart(const std::string& app, const std::set<std::string>& services,
                          const std::string& by, const std::string& key) {
  const auto begun = impl_->again(app, by, key, [&](Request& request) {
    const app::App written = app::parse_model(request.model);
    for (const std::string& service : services) request.restart.insert(check_service(written, service).name);
    if (!services.empty()) return;
    for (const auto& [name, service] : written.services) request.restart.insert(name);
  });
  if (!begun) throw Error(Error::missing, fmt::format("{} has no services to restart", app));
  return *begun;
}

void Releases::stop(const std::string& app, const std::set<std::string>& services, Deadline deadline,
                    std::optional<std::chrono::milliseconds> patience) {
  supervise::Supervisor& supervisor = impl_->context.supervisor;
  for (const auto& [group, replicas] : std::views::reverse(impl_->serving_groups(app, services))) {
    impl_->context.act("halt", [&] { supervisor.resize(group, 0); });
    Deadline kill_at = patience ? Deadline::after(*patience) : Deadline::never();
    for (;;) {
      const auto snapshot = supervisor.snapshot();
      const auto left = snapshot->of(group);
      if (left.empty()) break;
      if (deadline.passed()) {
        throw Error(Error::busy,
                    fmt::format("{} is still being stopped; call again to wait on", group.value));
      }
      if (kill_at.passed()) {
        for (const supervise::InstanceStatus& one : left) kill_if_there(supervisor, one.id);
        kill_at = Deadline::never();
      }
      supervisor.wait(snapshot->version, Deadline(std::min(deadline.at(), kill_at.at())));
    }
  }
}

void Releases::start(const std::string& app, const std::set<std::string>& services) {
  for (const auto& [group, replicas] : impl_->serving_groups(app, services)) {
    impl_->context.act("resume", [&] { impl_->context.supervisor.resize(group, replicas); });
  }
}

VariablesSet Releases::set_variables(const std::string& app, const std::map<std::string, std::string>& set,
                                     const std::set<std::string>& unset, const std::string& by,
                                     const std::string& key) {
  VariablesSet result;
  const auto serves = impl_->read([&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, app);
    return row && row->serving;
  });
  if (serves) {
    result.release = impl_->again(app, by, key, [&](Request& request) {
      change_variables(request, set, unset, impl_->context.clock.wall());
      request.release_commands = true;
      result.unused = unused_of(request, set);
    });
    return result;
  }
  impl_->context.commit("variables", [&](store::Transaction& t) {
    check_still(t, app, impl_->context.clock);
    const std::optional<AppRow> row = find_app(t, app);
    auto variables = row ? row->variables : std::map<std::string, Variable>();
    check_variable_names(set, unset, variables);
    for (const std::string& name : unset) variables.erase(name);
    for (const auto& [name, value] : set) variables[name] = {value, by, impl_->context.clock.wall()};
    insert_app(t, app);
    release::set_variables(t, app, variables);
  });
  return result;
}

AppVariables Releases::variables(const std::string& app) const {
  return impl_->read([&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, app);
    if (!row) no_app(app);
    if (!row->serving) return AppVariables{row->variables, {}};
    const Row serving = must_find(t, app, *row->serving);
    return AppVariables{serving.request.variables, seen_by_services(serving.request)};
  });
}

void Releases::set_maintenance(const std::string& app, const std::optional<Maintenance>& maintenance) {
  impl_->context.commit_and_publish("maintenance", "publish", [&](store::Transaction& t) {
    if (!find_app(t, app)) no_app(app);
    release::set_maintenance(t, app, maintenance);
  });
}

void Releases::cancel(const std::string& app, const std::string& by) {
  const Clock& clock = impl_->context.clock;
  impl_->context.commit_and_publish("revert", "revert.publish", [&](store::Transaction& t) {
    if (!find_app(t, app)) no_app(app);
    const std::optional<int> moving = moving_number(t, app);
    if (!moving) throw Error(Error::missing, fmt::format("no release of {} is in progress", app));
    const Row row = must_find(t, app, *moving);
    const Step step = row.release.step;
    if (step != Step::planned && step != Step::command && step != Step::start) {
      throw Error(Error::conflict,
                  fmt::format("release {} of {} has switched or is going back already (step {}); to "
                              "undo it, roll back when it is live",
                              version(*moving), app, name(step)));
    }
    Row next = row_in(row, Step::revert, clock);
    next.release.reason = fmt::format("cancelled by {}", by);
    update_step(t, next, step);
    add_event(t, app, *moving,
              {0, clock.wall(), "revert",
               Json::object(
                   {{"reason", next.release.reason}, {"switched", false}, {"to", version(row.replaces)}})});
  });
}

std::vector<Event> Releases::follow(const std::string& app, int number, std::int64_t after,
                                    Deadline deadline) const {
  for (;;) {
    const std::uint64_t told = impl_->news.told();
    std::vector<Event> events = impl_->read([&](store::Transaction& t) {
      if (!step_of(t, app, number)) no_release(app, number);
      return events_after(t, app, number, after);
    });
    if (!events.empty() || !impl_->news.wait(told, deadline)) return events;
  }
}

std::vector<std::string> Releases::apps() const {
  return impl_->read([](store::Transaction& t) {
    std::vector<std::string> names;
    for (const AppRow& app : all_apps(t)) names.push_back(app.name);
    return names;
  });
}

std::vector<Release> Releases::list(const std::string& app) const {
  return impl_->read([&](store::Transaction& t) {
    if (!find_app(t, app)) no_app(app);
    std::vector<Release> all;
    for (const int number : numbers(t, app)) all.push_back(shown(must_find(t, app, number).release));
    return all;
  });
}

Release Releases::get(const std::string& app, int number) const {
  return impl_->read([&](store::Transaction& t) { return shown(must_find(t, app, number).release); });
}

void Releases::check_services(const std::string& app, const std::set<std::string>& services) const {
  impl_->read([&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, app);
    if (!row) no_app(app);
    std::optional<int> shown = row->serving;
    if (!shown) shown = moving_number(t, app);
    if (!shown) return 0;
    const app::App model = app_of(must_find(t, app, *shown).request);
    for (const std::string& service : services) check_service(model, service);
    return 0;
  });
}

Json Releases::model(const std::string& app, int number) const {
  return impl_->read([&](store::Transaction& t) { return must_find(t, app, number).request.model; });
}

AppStatus Releases::status(const std::string& app) const {
  AppStatus status = impl_->read([&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, app);
    if (!row) no_app(app);
    AppStatus found;
    found.name = app;
    found.maintenance = row->maintenance;
    if (row->serving) {
      const Row serving = must_find(t, app, *row->serving);
      const Served served = served_of(t, serving);
      found.urls = urls(served, impl_->options.http);
      found.problems = unenforced_limits(impl_->context.engine, served.app);
      found.serving = shown(serving.release);
      found.scaled = scaled(serving.request);
    }
    if (const auto moving = moving_number(t, app)) found.moving = shown(must_find(t, app, *moving).release);
    return found;
  });
  for (const router::Unbound& one : impl_->context.publisher.unbound(app))
    status.problems.push_back(one.problem);
  const auto snapshot = impl_->context.supervisor.snapshot();
  for (const supervise::InstanceStatus& instance : snapshot->instances) {
    if (instance.app != app) continue;
    status.instances.push_back(instance);
    status.release_of_group[instance.group.value] = version(release_of(instance.group));
  }
  return status;
}

OneOff Releases::one_off(const std::string& app, const std::string& service, const std::string& tag) const {
  return impl_->read([&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, app);
    if (!row) no_app(app);
    if (!row->serving) throw Error(Error::missing, fmt::format("no release of {} serves", app));
    const Row serving = must_find(t, app, *row->serving);
    check_service(app_of(serving.request), service);
    // A service that was kept is still that of the release that started it.
    const int number = release_of(serving.groups.at(service));
    const Row origin = must_find(t, app, number);
    ResolveFor release{.number = number,
                       .environment = origin.request.environment,
                       .development = origin.request.development,
                       .service_ports = service_ports(t, app)};
    if (impl_->options.uids) release.uid = service_uids(t, app).at(service);
    const app::App model = app::parse_model(origin.request.model);
    const app::Service& wanted = model.services.at(service);
    return OneOff{resolve_one_off(model, wanted, tag, origin.request.artefacts.at(service), release),
                  wanted.entrypoint, wanted.has_port()};
  });
}

void Releases::destroy(const std::string& app, Deadline deadline) {
  impl_->context.commit("destroy", [&](store::Transaction& t) {
    if (!find_app(t, app)) no_app(app);
    check_still(t, app, impl_->context.clock);
    set_destroying(t, app);
  });
  impl_->destroy(app);
  impl_->wait_destroyed(app, deadline);
}

void Releases::withdraw(const std::string& app, int number, const std::string& by, Deadline deadline) {
  bool over = false;
  impl_->context.commit("withdraw", [&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, app);
    if (!row) no_app(app);
    if (row->withdrawing) return;
    check_still(t, app, impl_->context.clock);
    Row serving = must_find(t, app, number);
    over = serving.release.step == Step::failed;
    if (over) return;
    if (row->serving != number) {
      throw Error(Error::conflict, fmt::format("{} of {} does not serve", version(number), app));
    }
    if (serving.replaces) {
      throw Error(Error::conflict, fmt::format("{} of {} took the place of {}: roll back to that",
                                               version(number), app, version(*serving.replaces)));
    }
    serving.release.reason = fmt::format("taken back by {}", by);
    update_step(t, serving, serving.release.step);
    set_withdrawing(t, app);
  });
  if (over) return;
  impl_->destroy(app);
  impl_->wait_destroyed(app, deadline);
}

}  // namespace holdall::release
