// What is asked of releases, and changes nothing.

#include <fmt/format.h>

#include "base/error.h"
#include "release/releases_impl.h"
#include "release/resolve.h"
#include "release/variables.h"

namespace holdall::release {

AppVariables Releases::variables(const std::string& app) const {
  return impl_->read([&](store::Transaction& t) {
    const std::optional<AppRow> row = find_app(t, app);
    if (!row) no_app(app);
    if (!row->serving) return AppVariables{row->variables, {}};
    const Row serving = must_find(t, app, *row->serving);
    return AppVariables{serving.request.variables, seen_by_services(serving.request)};
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

}  // namespace holdall::release
