#include "api/api.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "api/calls.h"
#include "api/handlers.h"
#include "base/error.h"
#include "base/log.h"
#include "kit/kit.h"
#include "schema/schema.h"
#include "wire/wire.h"

namespace holdall::api {
namespace {

/// One row: what is asked, the right it needs, what answers; and what it is about, where that is neither the
/// app in its path nor the whole server.
struct Row {
  const char* method;
  const char* pattern;
  Right right;
  net::Response (Handlers::*answer)(net::Request&);
  std::optional<Scope> about = std::nullopt;
  std::string (*program)(const net::Request&) = nullptr;  ///< the name of the one it starts, for the record

  Scope scope() const { return about.value_or(scope_of(pattern)); }
  /// Whether it changes nothing. A GET for administrators shows what is not everybody's; one that opens a
  /// terminal does something.
  bool looks() const {
    return right == Right::read || (right == Right::admin && std::string_view(method) == "GET");
  }
};

/// Arguments may hold what is secret; the name says enough. Empty: the service's own command.
std::string named_program(const net::Request& request) {
  try {
    const wire::ProgramRequest wanted = wire::parse_program_request(request.json());
    const bool replaces = wanted.entrypoint && !wanted.entrypoint->empty();
    const std::vector<std::string>& argv = replaces ? *wanted.entrypoint : wanted.command;
    return argv.empty() ? "" : argv.front();
  } catch (const Error&) {
    return "";  // whoever answers the call says what is wrong with it
  }
}

constexpr Row kRoutes[] = {
    {"GET", "/v1/server", Right::read, &Handlers::server, Scope::any},
    {"GET", "/v1/apps", Right::read, &Handlers::apps, Scope::any},
    {"GET", "/v1/apps/*/status", Right::read, &Handlers::status},
    {"POST", "/v1/apps/*/plan", Right::read, &Handlers::plan},
    {"POST", "/v1/apps/*/releases", Right::deploy, &Handlers::deploy},
    {"GET", "/v1/apps/*/releases", Right::read, &Handlers::releases},
    {"GET", "/v1/apps/*/releases/*", Right::read, &Handlers::release},
    {"GET", "/v1/apps/*/releases/*/events", Right::read, &Handlers::events},
    {"POST", "/v1/apps/*/rollback", Right::deploy, &Handlers::rollback},
    {"POST", "/v1/apps/*/withdraw", Right::deploy, &Handlers::withdraw},
    {"POST", "/v1/apps/*/cancel", Right::deploy, &Handlers::cancel},
    {"POST", "/v1/apps/*/scale", Right::deploy, &Handlers::scale},
    {"POST", "/v1/apps/*/restart", Right::run, &Handlers::restart},
    {"POST", "/v1/apps/*/stop", Right::run, &Handlers::stop_services},
    {"POST", "/v1/apps/*/start", Right::run, &Handlers::start_services},
    {"GET", "/v1/apps/*/env", Right::read, &Handlers::variables},
    {"POST", "/v1/apps/*/env", Right::deploy, &Handlers::set_variables},
    {"POST", "/v1/apps/*/maintenance", Right::deploy, &Handlers::maintenance},
    {"POST", "/v1/apps/*/kill", Right::run, &Handlers::kill},
    {"DELETE", "/v1/apps/*", Right::admin, &Handlers::destroy},
    {"GET", "/v1/apps/*/keys", Right::read, &Handlers::keys},
    {"POST", "/v1/apps/*/keys", Right::deploy, &Handlers::ensure_key},
    {"POST", "/v1/apps/*/sealed/check", Right::read, &Handlers::check_sealed},
    {"POST", "/v1/apps/*/sealed/reseal", Right::deploy, &Handlers::reseal},
    {"GET", "/v1/apps/*/logs", Right::read, &Handlers::logs},
    {"GET", "/v1/apps/*/processes", Right::read, &Handlers::processes},
    {"GET", "/v1/apps/*/stats", Right::read, &Handlers::stats},
    {"GET", "/v1/apps/*/events", Right::read, &Handlers::app_events},
    {"POST", "/v1/apps/*/exec", Right::run, &Handlers::exec, std::nullopt, &named_program},
    {"POST", "/v1/apps/*/run", Right::run, &Handlers::run, std::nullopt, &named_program},
    {"GET", "/v1/sources/*", Right::read, &Handlers::find_source, Scope::any},
    {"PUT", "/v1/sources/*", Right::deploy, &Handlers::put_source, Scope::any},
    {"GET", "/v1/access", Right::admin, &Handlers::people},
    {"POST", "/v1/access", Right::admin, &Handlers::add_person},
    {"GET", "/v1/access/log", Right::admin, &Handlers::calls, Scope::any},
    {"DELETE", "/v1/access/*", Right::admin, &Handlers::remove_person},
    {"POST", "/v1/session", Right::deploy, &Handlers::open_session},
    {"POST", "/v1/session/detach", Right::deploy, &Handlers::detach_session},
    {"POST", "/v1/session/stop", Right::deploy, &Handlers::stop_session},
};

/// The end of a call that changed something, on the disk and in the log.
void conclude(Calls& calls, std::int64_t id, const net::Request& request, int status) {
  log::info("api.change", fmt::format("{} {} by {}: {}", request.method, request.path, request.user, status),
            Json::object({{"method", request.method},
                          {"path", request.path},
                          {"by", request.user},
                          {"uid", request.peer.uid},
                          {"pid", request.peer.pid},
                          {"status", status}}));
  try {
    calls.end(id, status);
  } catch (const Error& error) {
    log::error("api.record", error.what());  // the change is made all the same, and answered
  }
}

/// Whether the caller may still make this call, whatever has become of their rights.
Visits::Allowed still_admitted(const Access& access, const Row& row, const net::Request& request) {
  auto who = std::make_shared<net::Request>();
  who->listener = request.listener;
  who->introduced = request.introduced;
  who->headers = request.headers;
  who->parameters = request.parameters;
  who->query = request.query;
  return [&access, &row, who] { return access.admits(*who, row.right, row.scope()); };
}

/// What every call has in common: rights, versions, the record of changes and denials.
net::Response answer(Handlers& handlers, const Access& access, Calls& calls, Visits& visits, const Row& row,
                     net::Request& request) {
  Caller caller = access.caller(request);
  request.user = caller.name;
  bool local = request.listener.empty();
  request.log_fields["uid"] = local ? std::to_string(request.peer.uid) : caller.name;
  Call call{.at = {}, .who = caller.name, .method = request.method, .path = request.path};
  call.app = app_of_path(request, row.scope());
  std::optional<std::int64_t> change;
  net::Response response;
  try {
    caller.check(row.right, row.scope(), call.app);
    wire::check_versions(request.header(wire::kClientHeader), wire::build().version);
    if (row.program) call.program = row.program(request);
    if (!row.looks()) change = calls.begin(call);
    response = (handlers.*row.answer)(request);
    if (!local) visits.watch(response, still_admitted(access, row, request));
  } catch (const Error& error) {
    response = net::error_response(error);
    if (error.kind() == Error::broken) request.log_fields["msg"] = error.what();
    call.status = response.status;
    call.denied = true;
    if (error.kind() == Error::denied && !change) calls.denied(call, !caller.role);
  }
  response.headers.emplace_back(wire::kServerHeader, wire::build().version);
  if (change) conclude(calls, *change, request, response.status);
  return response;
}

}  // namespace

struct Api::Impl {
  Impl(Parts parts, Options options)
      : people(parts.database, options.ssh),
        access(options.owner, options.group, people, parts.clock),
        calls(parts.database, parts.clock),
        handlers(parts, std::move(options), access, people, calls, visits) {
    health.add("database", kit::database_check(parts.database, schema()));
  }

  People people;
  Access access;
  Calls calls;
  Visits visits;
  Handlers handlers;
  kit::Health health;
};

Api::Api(Parts parts, Options options) : impl_(std::make_unique<Impl>(parts, std::move(options))) {}
Api::~Api() = default;

std::vector<net::Route> Api::routes() {
  std::vector<net::Route> routes = kit::health_routes(impl_->health, wire::to_json(wire::build()).print());
  for (const Row& row : kRoutes) {
    auto handler = [this, &row](net::Request& request) {
      return answer(impl_->handlers, impl_->access, impl_->calls, impl_->visits, row, request);
    };
    auto admits = [this, &row](const net::Request& request) {
      return impl_->access.admits(request, row.right, row.scope());
    };
    routes.push_back({row.method, row.pattern, handler, net::Lane::pool, admits});
  }
  return routes;
}

std::vector<RouteRight> Api::rights() {
  std::vector<RouteRight> rights;
  for (const Row& row : kRoutes) rights.push_back({row.method, row.pattern, row.right, row.scope()});
  return rights;
}

void Api::stop() { impl_->handlers.stop(); }

}  // namespace holdall::api
