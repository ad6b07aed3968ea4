#include "release/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "net/socket.h"
#include "release/plan.h"
#include "release/report.h"
#include "release/resolve.h"
#include "release/secrets.h"
#include "release/uids.h"

namespace holdall::release {
namespace {

// Loopback ports of services come from below the range that the kernel takes outgoing connections' ports
// from, so that none of those ever sits on one while nothing listens there.
constexpr int kFirstServicePort = 20'000, kLastServicePort = 29'999;
constexpr int kPortTries = 1'000;

std::uint16_t choose_service_port(const std::vector<std::uint16_t>& taken) {
  std::random_device random;
  std::uniform_int_distribution<int> any(kFirstServicePort, kLastServicePort);
  for (int i = 0; i < kPortTries; ++i) {
    const auto port = static_cast<std::uint16_t>(any(random));
    if (std::ranges::find(taken, port) == taken.end() && net::port_is_free(port)) return port;
  }
  throw Error(Error::busy,
              fmt::format("no free port between {} and {}", kFirstServicePort, kLastServicePort));
}

/// Every service of the app that has a port has its loopback port from now on.
void give_service_ports(store::Transaction& t, const app::App& app) {
  const auto has = service_ports(t, app.name);
  std::vector<std::uint16_t> taken = all_service_ports(t);
  for (const auto& [name, service] : app.services) {
    if (!service.has_port() || has.contains(name)) continue;
    taken.push_back(choose_service_port(taken));
    insert_service_port(t, app.name, name, taken.back());
  }
}

std::optional<Serving> serving_of(store::Transaction& t, const std::optional<AppRow>& app) {
  if (!app || !app->serving) return std::nullopt;
  std::optional<Row> row = find_row(t, app->name, *app->serving);
  if (!row)
    throw Error(Error::broken, fmt::format("{} {} serves and has no row", app->name, version(*app->serving)));
  return Serving{*app->serving, std::move(row->request), std::move(row->groups)};
}

/// By the values, as the same one sealed again looks different. What cannot be opened any more has changed.
std::set<std::string> changed_since(const std::optional<Serving>& serving, const OpenedSecrets& wanted,
                                    const std::string& app, const ReleasesOptions& options) {
  OpenedSecrets before;
  if (serving && !wanted.empty()) {
    try {
      before = open_sealed(serving->request, app, options.keys);
    } catch (const Error& error) {
      log::warning("release.secrets", fmt::format("{} {}: {}", app, version(serving->number), error.what()));
    }
  }
  return changed_secrets(before, wanted);
}

/// Against every release of another app that serves or will.
void check_against_others(store::Transaction& t, const Served& wanted, const net::Address& http) {
  std::vector<Served> others;
  for (const AppRow& other : all_apps(t)) {
    if (other.name == wanted.app.name) continue;
    std::set<int> releases;
    if (other.serving) releases.insert(*other.serving);
    if (const auto moving = moving_number(t, other.name)) releases.insert(*moving);
    for (const int number : releases) others.push_back(served_of(t, *find_row(t, other.name, number)));
  }
  std::vector<const Served*> pointers;
  for (const Served& one : others) pointers.push_back(&one);
  check_claims(wanted, pointers, http);
}

void check_artefacts(const engine::Engine& engine, const app::App& app, const Request& request) {
  for (const auto& [name, service] : app.services) {
    const auto artefact = request.artefacts.find(name);
    if (artefact == request.artefacts.end()) {
      throw Error(Error::missing,
                  fmt::format("service {} has no artefact; send its build context first", name));
    }
    if (!engine.has(artefact->second)) {
      throw Error(Error::missing,
                  fmt::format("artefact {} of service {} is not here; send its build context again",
                              artefact->second.value, name));
    }
  }
}

/// What is set on the server holds for every deploy, and the client's model was filled with it.
void take_variables(const std::optional<AppRow>& app, const std::optional<Serving>& serving,
                    Request& request) {
  if (serving) {
    request.variables = serving->request.variables;
  } else if (app) {
    request.variables = app->variables;
  }
  if (request.development) return;
  const auto& use = request.variable_use;
  std::set<std::string> used;
  for (const auto& [path, text] : use.templates) used.merge(app::variables_in(text));
  for (const auto& [name, place] : use.elsewhere) used.insert(name);
  for (const std::string& name : used) {
    const auto now = request.variables.find(name);
    const auto then = use.loaded.find(name);
    const bool same = now == request.variables.end()
                          ? then == use.loaded.end()
                          : then != use.loaded.end() && then->second == now->second.value;
    if (same) continue;
    throw Error(Error::conflict,
                fmt::format("variable {} was set or unset since the file was read; deploy again", name));
  }
}

std::optional<Row> row_of_key(store::Transaction& t, const std::string& app, const std::string& key) {
  if (key.empty()) return std::nullopt;
  const std::optional<int> number = number_of_key(t, app, key);
  return number ? find_row(t, app, *number) : std::nullopt;
}

/// What the releases after `number`, up to the one that serves, have done that no rollback undoes.
std::vector<std::string> not_undone(store::Transaction& t, const AppRow& app, int number) {
  std::vector<std::string> all;
  for (const int later : numbers(t, app.name)) {
    if (later <= number || later > app.serving.value_or(0)) continue;
    const std::optional<Row> row = find_row(t, app.name, later);
    if (row->release.step != Step::live || !row->request.release_commands) continue;
    for (const std::string& command : commands_of(app_of(row->request)))
      all.push_back(version(later) + " " + command);
  }
  return all;
}

}  // namespace

void check_still(store::Transaction& t, const std::string& app, const Clock& clock) {
  const std::optional<int> moving = moving_number(t, app);
  if (!moving) return;
  const Release release = find_row(t, app, *moving)->release;
  throw Error(
      Error::conflict,
      fmt::format("release {} of {} is in progress: started by {} {} ago, now in step {}", version(*moving),
                  app, release.by, text(clock.wall() - release.created), name(release.step)));
}

std::optional<Admitted> admit(const Context& context, const Wish& wish) {
  Request request = wish.request;
  app::App app = app_of(request);
  std::optional<Row> known;
  context.database.read([&](store::Transaction& t) { known = row_of_key(t, app.name, request.key); });
  if (known) return Admitted{std::move(*known), false};
  check_artefacts(context.engine, app, request);
  const OpenedSecrets secrets = check_secrets(request, app, context.options);

  std::optional<Admitted> admitted;
  context.commit("planned", [&](store::Transaction& t) {
    if (auto row = row_of_key(t, app.name, request.key)) {
      admitted = Admitted{std::move(*row), false};
      return;
    }
    const std::optional<AppRow> known_app = find_app(t, app.name);
    if (known_app && known_app->destroying) {
      throw Error(Error::conflict,
                  fmt::format("{} is being destroyed; deploy it again afterwards", app.name));
    }
    check_still(t, app.name, context.clock);
    const std::optional<Serving> serving = serving_of(t, known_app);
    if (wish.of && (!serving || serving->number != *wish.of)) {
      throw Error(Error::conflict,
                  fmt::format("{} of {} serves no longer; try again", version(*wish.of), app.name));
    }
    if (!wish.of) {
      if (!wish.rollback_of) take_variables(known_app, serving, request);
      if (serving) carry_scale(serving->request, request);
      app = app_of(request);
    }
    Plan plan = make_plan(serving, request, app, known_app ? known_app->next_number : 1,
                          changed_since(serving, secrets, app.name, context.options));
    plan.warnings = unenforced_limits(context.engine, app);
    const bool same_variables = !serving || serving->request.variables == request.variables;
    if (plan.nothing_changed() && same_variables && !wish.rollback_of) return;
    if (wish.rollback_of) plan.not_undone = not_undone(t, *known_app, *wish.rollback_of);

    insert_app(t, app.name);
    give_service_ports(t, app);
    if (context.options.uids) give_service_uids(t, app, *context.options.uids);
    Row row;
    row.release.app = app.name;
    row.release.number = plan.to;
    row.release.rollback_of = wish.rollback_of;
    row.release.commit = request.commit;
    row.release.by = request.by;
    row.release.created = context.clock.wall();
    row.release.report = new_report(wish.accepted);
    row.request = request;
    row.groups = groups_of(plan, serving);
    row.replaces = plan.from;
    row.boot = boot_id();
    row.step_since = wish.accepted;
    check_against_others(t, served_of(t, row), context.options.http);
    insert_row(t, row);
    add_event(t, app.name, plan.to, {0, context.clock.wall(), "plan", to_json(plan)});
    admitted = Admitted{std::move(row), true};
  });
  return admitted;
}

Plan plan_of(const Context& context, const Request& wanted) {
  Request request = wanted;
  app::App app = app_of(request);
  const OpenedSecrets secrets = check_secrets(request, app, context.options);
  std::optional<Serving> serving;
  int number = 1;
  context.database.read([&](store::Transaction& t) {
    const std::optional<AppRow> known = find_app(t, app.name);
    serving = serving_of(t, known);
    if (known) number = known->next_number;
  });
  if (serving) {
    carry_scale(serving->request, request);
    app = app_of(request);
  }
  Plan plan =
      make_plan(serving, request, app, number, changed_since(serving, secrets, app.name, context.options));
  plan.warnings = unenforced_limits(context.engine, app);
  return plan;
}

}  // namespace holdall::release
