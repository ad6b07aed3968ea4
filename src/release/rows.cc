#include "release/rows.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"

namespace holdall::release {
namespace {

constexpr std::array kStepNames{"planned", "command", "start", "switch", "drain",
                                "watch",   "stop",    "live",  "revert", "failed"};

store::Value value(const std::optional<int>& number) {
  if (!number) return std::monostate{};
  return std::int64_t{*number};
}

std::optional<int> optional_int(const store::Row& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return static_cast<int>(row.integer(column));
}

Json strings(const auto& map, auto&& text) {
  Json object = Json::object();
  for (const auto& [key, item] : map) object[key] = text(item);
  return object;
}

Json variables_json(const std::map<std::string, Variable>& variables) {
  return strings(variables, [](const Variable& one) {
    return Json::object({{"value", one.value}, {"by", one.by}, {"since_ns", nanoseconds(one.since)}});
  });
}

std::map<std::string, Variable> parse_variables(const Json& json) {
  std::map<std::string, Variable> variables;
  for (const auto& [name, one] : json.members()) {
    variables[name] = {one.at("value").string(), one.at("by").string(),
                       wall_time(one.at("since_ns").integer())};
  }
  return variables;
}

// The column `destroying`.
constexpr std::int64_t kStays = 0, kDestroying = 1, kWithdrawing = 2;

AppRow app_row(const store::Row& row) {
  AppRow app{.name = row.text(0),
             .serving = optional_int(row, 1),
             .next_number = static_cast<int>(row.integer(2)),
             .destroying = row.integer(3) != kStays,
             .withdrawing = row.integer(3) == kWithdrawing,
             .maintenance = {},
             .variables = {}};
  if (const std::string text = row.text(4); !text.empty()) {
    const Json maintenance = Json::parse(text);
    app.maintenance =
        Maintenance{std::chrono::milliseconds(maintenance.at("hold_ms").integer()),
                    maintenance.at("by").string(), wall_time(maintenance.at("since_ns").integer())};
  }
  app.variables = parse_variables(Json::parse(row.text(5)));
  return app;
}

constexpr auto kAppColumns = "select id, serving, next_number, destroying, maintenance, variables from apps";

std::optional<int> first_int(store::Transaction& t, std::string_view sql,
                             const std::vector<store::Value>& parameters) {
  std::optional<int> found;
  t.query(sql, parameters, [&](const store::Row& row) {
    if (!found) found = optional_int(row, 0);
  });
  return found;
}

}  // namespace

std::string_view name(Step step) { return kStepNames.at(static_cast<std::size_t>(step)); }

bool is_final(Step step) { return step == Step::live || step == Step::failed; }

Step parse_step(std::string_view name) {
  for (std::size_t i = 0; i < kStepNames.size(); ++i) {
    if (kStepNames[i] == name) return static_cast<Step>(i);
  }
  throw Error(Error::broken, fmt::format("a release is in the unknown step {}", name));
}

app::App app_of(const Request& request) {
  app::App app = app::parse_model(request.model);
  for (const auto& [service, replicas] : request.scale) {
    const auto found = app.services.find(service);
    if (found != app.services.end()) found->second.replicas = replicas;
  }
  return app;
}

Json to_json(const Request& request) {
  return Json::object(
      {{"model", request.model},
       {"artefacts", strings(request.artefacts, [](const Digest& digest) { return digest.value; })},
       {"places", strings(request.places, [](const std::string& place) { return place; })},
       {"sealed", request.sealed},
       {"commit", request.commit},
       {"environment", request.environment},
       {"by", request.by},
       {"development", request.development},
       {"release_commands", request.release_commands},
       {"variable_use", app::to_json(request.variable_use)},
       {"variables", variables_json(request.variables)},
       {"scale", strings(request.scale, [](int replicas) { return replicas; })}});
}

Request parse_request(const Json& json) {
  Request request;
  request.model = json.at("model");
  for (const auto& [service, digest] : json.at("artefacts").members()) {
    request.artefacts[service] = Digest{digest.string()};
  }
  for (const auto& [path, place] : json.at("places").members()) request.places[path] = place.string();
  request.sealed = json.string_or("sealed", "");
  request.commit = json.string_or("commit", "");
  request.environment = json.string_or("environment", "");
  request.by = json.string_or("by", "");
  request.development = json.boolean_or("development", false);
  request.release_commands = json.boolean_or("release_commands", true);
  if (const Json* use = json.find("variable_use")) request.variable_use = app::parse_variable_use(*use);
  if (const Json* variables = json.find("variables")) request.variables = parse_variables(*variables);
  if (const Json* scale = json.find("scale")) {
    for (const auto& [service, replicas] : scale->members())
      request.scale[service] = static_cast<int>(replicas.integer());
  }
  return request;
}

std::vector<AppRow> all_apps(store::Transaction& t) {
  std::vector<AppRow> apps;
  t.query(fmt::format("{} order by id", kAppColumns), {},
          [&](const store::Row& row) { apps.push_back(app_row(row)); });
  return apps;
}

std::optional<AppRow> find_app(store::Transaction& t, const std::string& app) {
  std::optional<AppRow> found;
  t.query(fmt::format("{} where id = ?", kAppColumns), {app},
          [&](const store::Row& row) { found = app_row(row); });
  return found;
}

void insert_app(store::Transaction& t, const std::string& app) {
  t.execute("insert into apps (id) values (?) on conflict do nothing", {app});
}

void set_serving(store::Transaction& t, const std::string& app, std::optional<int> number) {
  t.execute("update apps set serving = ? where id = ?", {value(number), app});
}

void set_variables(store::Transaction& t, const std::string& app,
                   const std::map<std::string, Variable>& variables) {
  t.execute("update apps set variables = ? where id = ?", {variables_json(variables).print(), app});
}

void set_maintenance(store::Transaction& t, const std::string& app,
                     const std::optional<Maintenance>& maintenance) {
  std::string text;
  if (maintenance) {
    text = Json::object({{"hold_ms", maintenance->hold.count()},
                         {"by", maintenance->by},
                         {"since_ns", nanoseconds(maintenance->since)}})
               .print();
  }
  t.execute("update apps set maintenance = ? where id = ?", {text, app});
}

void set_destroying(store::Transaction& t, const std::string& app) {
  t.execute("update apps set destroying = ? where id = ?", {kDestroying, app});
}

void set_withdrawing(store::Transaction& t, const std::string& app) {
  t.execute("update apps set destroying = ? where id = ?", {kWithdrawing, app});
}

void set_withdrawn(store::Transaction& t, const std::string& app) {
  t.execute("update apps set destroying = ?, serving = null where id = ?", {kStays, app});
}

void delete_app(store::Transaction& t, const std::string& app) {
  t.execute("delete from release_events where app_id = ?", {app});
  t.execute("delete from releases where app_id = ?", {app});
  t.execute("delete from service_ports where app_id = ?", {app});
  t.execute("delete from apps where id = ?", {app});
}

std::optional<Row> find_row(store::Transaction& t, const std::string& app, int number) {
  std::optional<Row> found;
  t.query(
      "select step, reason, request, groups, replaces, rollback_of, report, boot_id, step_since, created_at, "
      "finished_at, serving from releases join apps on apps.id = app_id where app_id = ? and number = ?",
      {app, std::int64_t{number}}, [&](const store::Row& columns) {
        Row row;
        row.request = parse_request(Json::parse(columns.text(2)));
        Release& release = row.release;
        release.app = app;
        release.number = number;
        release.step = parse_step(columns.text(0));
        release.reason = columns.text(1);
        release.rollback_of = optional_int(columns, 5);
        release.commit = row.request.commit;
        release.by = row.request.by;
        release.created = wall_time(columns.integer(9));
        if (!columns.is_null(10)) release.finished = wall_time(columns.integer(10));
        release.serving = optional_int(columns, 11) == number;
        release.report = Json::parse(columns.text(6));
        const Json groups = Json::parse(columns.text(3));
        for (const auto& [service, group] : groups.members()) row.groups[service] = GroupId{group.string()};
        row.replaces = optional_int(columns, 4);
        row.boot = columns.text(7);
        row.step_since = Instant(std::chrono::nanoseconds(columns.integer(8)));
        found = std::move(row);
      });
  return found;
}

std::optional<int> moving_number(store::Transaction& t, const std::string& app) {
  return first_int(t, "select number from releases where app_id = ? and step not in ('live', 'failed')",
                   {app});
}

std::optional<int> number_of_key(store::Transaction& t, const std::string& app, const std::string& key) {
  return first_int(t, "select number from releases where app_id = ? and request_key = ?", {app, key});
}

std::optional<Step> step_of(store::Transaction& t, const std::string& app, int number) {
  std::optional<Step> step;
  t.query("select step from releases where app_id = ? and number = ?", {app, std::int64_t{number}},
          [&](const store::Row& row) { step = parse_step(row.text(0)); });
  return step;
}

std::vector<int> numbers(store::Transaction& t, const std::string& app) {
  std::vector<int> found;
  t.query("select number from releases where app_id = ? order by number desc", {app},
          [&](const store::Row& row) { found.push_back(static_cast<int>(row.integer(0))); });
  return found;
}

void insert_row(store::Transaction& t, const Row& row) {
  const Release& release = row.release;
  store::Value key;
  if (!row.request.key.empty()) key = row.request.key;
  t.execute(
      "insert into releases (app_id, number, step, request, groups, replaces, rollback_of, request_key, "
      "report, "
      "boot_id, step_since, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {release.app, std::int64_t{release.number}, std::string(name(release.step)),
       to_json(row.request).print(),
       strings(row.groups, [](const GroupId& group) { return group.value; }).print(), value(row.replaces),
       value(release.rollback_of), key, release.report.print(), row.boot,
       std::int64_t{row.step_since.time_since_epoch().count()}, nanoseconds(release.created)});
  t.execute("update apps set next_number = ? where id = ?", {std::int64_t{release.number} + 1, release.app});
}

bool update_step(store::Transaction& t, const Row& row, Step from) {
  const Release& release = row.release;
  store::Value finished;
  if (release.finished) finished = nanoseconds(*release.finished);
  return t.execute(
             "update releases set step = ?, reason = ?, report = ?, boot_id = ?, step_since = ?, finished_at "
             "= ? "
             "where app_id = ? and number = ? and step = ?",
             {std::string(name(release.step)), release.reason, release.report.print(), row.boot,
              std::int64_t{row.step_since.time_since_epoch().count()}, finished, release.app,
              std::int64_t{release.number}, std::string(name(from))}) == 1;
}

void add_event(store::Transaction& t, const std::string& app, int number, const Event& event) {
  t.execute(
      "insert into release_events (app_id, number, sequence, at, kind, data) select ?, ?, "
      "coalesce(max(sequence), 0) + 1, ?, ?, ? from release_events where app_id = ? and number = ?",
      {app, std::int64_t{number}, nanoseconds(event.at), event.kind, event.data.print(), app,
       std::int64_t{number}});
}

std::vector<Event> events_after(store::Transaction& t, const std::string& app, int number,
                                std::int64_t after) {
  std::vector<Event> events;
  t.query(
      "select sequence, at, kind, data from release_events where app_id = ? and number = ? and sequence > ? "
      "order by sequence",
      {app, std::int64_t{number}, after}, [&](const store::Row& row) {
        events.push_back({row.integer(0), wall_time(row.integer(1)), row.text(2), Json::parse(row.text(3))});
      });
  return events;
}

std::vector<std::pair<int, Event>> app_events(store::Transaction& t, const std::string& app, int number,
                                              std::int64_t after) {
  if (!find_app(t, app)) throw Error(Error::missing, fmt::format("no app '{}'", app));
  std::vector<std::pair<int, Event>> events;
  t.query(
      "select number, sequence, at, kind, data from release_events where app_id = ? and "
      "(number, sequence) > (?, ?) order by number, sequence",
      {app, std::int64_t{number}, after}, [&](const store::Row& row) {
        events.emplace_back(static_cast<int>(row.integer(0)), Event{row.integer(1), wall_time(row.integer(2)),
                                                                    row.text(3), Json::parse(row.text(4))});
      });
  return events;
}

std::map<std::string, std::uint16_t> service_ports(store::Transaction& t, const std::string& app) {
  std::map<std::string, std::uint16_t> ports;
  t.query("select service, port from service_ports where app_id = ?", {app},
          [&](const store::Row& row) { ports[row.text(0)] = static_cast<std::uint16_t>(row.integer(1)); });
  return ports;
}

std::vector<std::uint16_t> all_service_ports(store::Transaction& t) {
  std::vector<std::uint16_t> ports;
  t.query("select port from service_ports", {},
          [&](const store::Row& row) { ports.push_back(static_cast<std::uint16_t>(row.integer(0))); });
  return ports;
}

void insert_service_port(store::Transaction& t, const std::string& app, const std::string& service,
                         std::uint16_t port) {
  t.execute("insert into service_ports (app_id, service, port) values (?, ?, ?)",
            {app, service, std::int64_t{port}});
}

std::map<std::string, std::uint32_t> service_uids(store::Transaction& t, const std::string& app) {
  std::map<std::string, std::uint32_t> uids;
  t.query("select service, uid from service_uids where app_id = ?", {app},
          [&](const store::Row& row) { uids[row.text(0)] = static_cast<std::uint32_t>(row.integer(1)); });
  return uids;
}

std::set<std::uint32_t> all_service_uids(store::Transaction& t) {
  std::set<std::uint32_t> uids;
  t.query("select uid from service_uids", {},
          [&](const store::Row& row) { uids.insert(static_cast<std::uint32_t>(row.integer(0))); });
  return uids;
}

void insert_service_uid(store::Transaction& t, const std::string& app, const std::string& service,
                        std::uint32_t uid) {
  t.execute("insert into service_uids (uid, app_id, service) values (?, ?, ?)",
            {std::int64_t{uid}, app, service});
}

std::optional<Json> stored_table(store::Transaction& t) {
  std::optional<Json> table;
  t.query("select body from route_tables where node_id = 'local'", {},
          [&](const store::Row& row) { table = Json::parse(row.text(0)); });
  return table;
}

void store_table(store::Transaction& t, std::uint64_t version, const Json& table) {
  t.execute(
      "insert into route_tables (version, body) values (?, ?) "
      "on conflict (node_id) do update set version = excluded.version, body = excluded.body",
      {static_cast<std::int64_t>(version), table.print()});
}

}  // namespace holdall::release
