#include <fmt/format.h>
#include <signal.h>

#include <ranges>
#include <set>

#include "base/error.h"
#include "release/releases_impl.h"
#include "release/report.h"
#include "release/rows.h"
#include "release/variables.h"

namespace holdall::release {
namespace {

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
