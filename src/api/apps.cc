#include <fmt/format.h>

#include <map>

#include "api/handlers.h"
#include "base/error.h"
#include "wire/wire.h"

namespace holdall::api {
namespace {

using namespace std::chrono_literals;

// How long a stream of events may fail to notice that its client has gone.
constexpr auto kSlice = 200ms;
// Every instance gets its grace; a client that waits longer asks again.
constexpr auto kDestroyTimeout = 5min;

const std::string& app_of(const net::Request& request) { return request.parameters.at(0); }

/// "v3" or "3".
int release_number(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  return static_cast<int>(parse_number(text, "release"));
}

release::Request release_request(const net::Request& request) {
  wire::DeployRequest wanted = wire::parse_deploy_request(request.json());
  std::string name = wanted.model.string_or("name", "");
  if (name != app_of(request)) {
    throw Error(Error::invalid,
                fmt::format("the model is of app '{}', the call of '{}'", name, app_of(request)));
  }
  release::Request out{.model = std::move(wanted.model),
                       .artefacts = {},
                       .places = std::move(wanted.places),
                       .sealed = std::move(wanted.sealed),
                       .commit = std::move(wanted.commit),
                       .environment = std::move(wanted.environment),
                       .by = request.user,
                       .development = wanted.development,
                       .force = wanted.force,
                       .release_commands = wanted.release_commands,
                       .variable_use = app::parse_variable_use(wanted.variables),
                       .key = std::string(request.header("Idempotency-Key"))};
  for (const auto& [service, digest] : wanted.artefacts) out.artefacts[service] = Digest{digest};
  return out;
}

Json or_null(const std::optional<release::Release>& release) { return release ? to_json(*release) : Json(); }

bool is_running(const supervise::InstanceStatus& instance) {
  using supervise::Health;
  if (!instance.executed) return false;
  switch (instance.health) {
    case Health::starting:
    case Health::ready:
    case Health::unready:
    case Health::stopping: return true;
    case Health::failed: return !instance.exit;
    case Health::waiting:
    case Health::completed: break;
  }
  return false;
}

int shell_code(const std::optional<Exit>& exit) {
  if (!exit) return 0;
  return exit->signal ? 128 + exit->signal : exit->code;
}

std::map<GroupId, std::string> commands(const supervise::Supervisor& supervisor) {
  std::map<GroupId, std::string> commands;
  for (const supervise::Group& group : supervisor.wanted()) {
    commands[group.id] = fmt::format("{}", fmt::join(group.workload.command, " "));
  }
  return commands;
}

}  // namespace

Json Handlers::instances(const release::AppStatus& status) const {
  std::map<GroupId, std::string> command_of = commands(parts_.supervisor);
  Instant now = parts_.clock.now();
  Json all = Json::array();
  for (const supervise::InstanceStatus& instance : status.instances) {
    auto release = status.release_of_group.find(instance.group.value);
    wire::Instance shown{.id = instance.id.value,
                         .service = instance.service,
                         .release = release == status.release_of_group.end() ? "" : release->second,
                         .slot = instance.slot,
                         .restarts = instance.restarts,
                         .health = std::string(supervise::name(instance.health)),
                         .address = instance.address.port ? net::text(instance.address) : "",
                         .reason = instance.reason,
                         .command = command_of[instance.group],
                         .exit_code = is_running(instance) ? 0 : shell_code(instance.exit)};
    if (is_running(instance)) {
      shown.running_ms =
          std::chrono::duration_cast<std::chrono::milliseconds>(now - *instance.executed).count();
    }
    all.add(wire::to_json(shown));
  }
  return all;
}

net::Response Handlers::apps(net::Request& request) {
  Caller caller = access_.caller(request);
  Json apps = Json::array();
  for (const std::string& name : parts_.releases.apps()) {
    if (!caller.may(Right::read, name)) continue;
    release::AppStatus status = parts_.releases.status(name);
    int ready = 0;
    for (const supervise::InstanceStatus& instance : status.instances) {
      ready += instance.health == supervise::Health::ready;
    }
    Json serving = status.serving ? Json(fmt::format("v{}", status.serving->number)) : Json();
    apps.add(Json::object(
        {{"name", name}, {"serving", serving}, {"instances", status.instances.size()}, {"ready", ready}}));
  }
  return net::json_response(Json::object({{"apps", apps}}));
}

net::Response Handlers::status(net::Request& request) {
  release::AppStatus status = parts_.releases.status(app_of(request));
  Json urls = Json::array();
  for (const std::string& url : status.urls) urls.add(url);
  Json problems = Json::array();
  for (const std::string& problem : status.problems) problems.add(problem);
  Json maintenance = status.maintenance ? to_json(*status.maintenance) : Json();
  Json scaled = Json::array();
  for (const std::string& one : status.scaled) scaled.add(one);
  return net::json_response(Json::object({{"app", status.name},
                                          {"serving", or_null(status.serving)},
                                          {"moving", or_null(status.moving)},
                                          {"instances", instances(status)},
                                          {"urls", urls},
                                          {"problems", problems},
                                          {"scaled", scaled},
                                          {"maintenance", maintenance}}));
}

net::Response Handlers::plan(net::Request& request) {
  release::Request wanted = release_request(request);
  check_artefacts(request, wanted.artefacts);
  release::Plan plan = parts_.releases.plan(wanted);
  return net::json_response(Json::object({{"plan", to_json(plan)}}));
}

net::Response Handlers::deploy(net::Request& request) {
  release::Request wanted = release_request(request);
  check_artefacts(request, wanted.artefacts);
  std::optional<release::Release> begun = parts_.releases.deploy(std::move(wanted));
  if (!begun) return net::json_response(Json::object({{"unchanged", true}}));
  return net::json_response(Json::object({{"release", to_json(*begun)}}), 201);
}

net::Response Handlers::releases(net::Request& request) {
  Json all = Json::array();
  for (const release::Release& release : parts_.releases.list(app_of(request))) all.add(to_json(release));
  return net::json_response(Json::object({{"releases", all}}));
}

net::Response Handlers::release(net::Request& request) {
  int number = release_number(request.parameters.at(1));
  return net::json_response(Json::object({{"release", to_json(parts_.releases.get(app_of(request), number))},
                                          {"model", parts_.releases.model(app_of(request), number)}}));
}

net::Response Handlers::events(net::Request& request) {
  std::string app = app_of(request);
  int number = release_number(request.parameters.at(1));
  parts_.releases.get(app, number);  // a release that is not there is said at once
  std::string_view last = request.header("Last-Event-ID");
  std::int64_t after = last.empty() ? 0 : parse_number(last, "event id");
  auto produce = [this, app, number, after](Feed& feed, const std::stop_token& stop) mutable {
    while (!stop.stop_requested() && !feed.closed()) {
      for (const release::Event& event :
           parts_.releases.follow(app, number, after, Deadline::after(kSlice))) {
        after = event.sequence;
        if (!feed.push(event.kind, to_json(event), std::to_string(event.sequence))) return;
        if (event.kind == "done" || event.kind == "failed") return;
      }
    }
  };
  return stream_response(make_stream(streams_, fmt::format("events of {} v{}", app, number), produce));
}

net::Response Handlers::rollback(net::Request& request) {
  Json body = request.body.empty() ? Json::object() : request.json();
  std::optional<int> to;
  if (const Json* number = body.find("to"); number && !number->is_null())
    to = static_cast<int>(number->integer());
  release::Release begun = parts_.releases.rollback(app_of(request), to, request.user,
                                                    std::string(request.header("Idempotency-Key")));
  return net::json_response(Json::object({{"release", to_json(begun)}}), 201);
}

net::Response Handlers::withdraw(net::Request& request) {
  const int number = static_cast<int>(request.json().at("number").integer());
  parts_.releases.withdraw(app_of(request), number, request.user, Deadline::after(kDestroyTimeout));
  return net::json_response(Json::object());
}

net::Response Handlers::cancel(net::Request& request) {
  parts_.releases.cancel(app_of(request), request.user);
  return net::json_response(Json::object());
}

/// With what its instances said.
void Handlers::destroy_app(const std::string& app, Deadline deadline) {
  parts_.releases.destroy(app, deadline);
  std::error_code ignored;  // what stays is in nobody's way
  std::filesystem::remove_all(options_.state / "logs" / app, ignored);
  parts_.database.write(
      [&](store::Transaction& t) { t.execute("delete from app_artefacts where app_id = ?", {app}); });
}

net::Response Handlers::destroy(net::Request& request) {
  destroy_app(app_of(request), Deadline::after(kDestroyTimeout));
  return net::json_response(Json::object());
}

}  // namespace holdall::api
