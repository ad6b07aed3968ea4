#include "api/api.h"

#include <fmt/format.h>

#include "api/handlers.h"
#include "base/error.h"
#include "kit/kit.h"
#include "schema/schema.h"
#include "wire/wire.h"

namespace holdall::api {
namespace {

/// One row: what is asked, the right it needs, what answers.
struct Row {
  const char* method;
  const char* pattern;
  Right right;
  net::Response (Handlers::*answer)(net::Request&);
};

constexpr Row kRoutes[] = {
    {"GET", "/v1/server", Right::read, &Handlers::server},
    {"GET", "/v1/apps", Right::read, &Handlers::apps},
    {"GET", "/v1/apps/*/status", Right::read, &Handlers::status},
    {"POST", "/v1/apps/*/plan", Right::read, &Handlers::plan},
    {"POST", "/v1/apps/*/releases", Right::deploy, &Handlers::deploy},
    {"GET", "/v1/apps/*/releases", Right::read, &Handlers::releases},
    {"GET", "/v1/apps/*/releases/*", Right::read, &Handlers::release},
    {"GET", "/v1/apps/*/releases/*/events", Right::read, &Handlers::events},
    {"POST", "/v1/apps/*/rollback", Right::deploy, &Handlers::rollback},
    {"POST", "/v1/apps/*/cancel", Right::deploy, &Handlers::cancel},
    {"DELETE", "/v1/apps/*", Right::admin, &Handlers::destroy},
    {"GET", "/v1/apps/*/keys", Right::read, &Handlers::keys},
    {"POST", "/v1/apps/*/keys", Right::deploy, &Handlers::ensure_key},
    {"POST", "/v1/apps/*/sealed/check", Right::read, &Handlers::check_sealed},
    {"POST", "/v1/apps/*/sealed/reseal", Right::deploy, &Handlers::reseal},
    {"GET", "/v1/apps/*/logs", Right::read, &Handlers::logs},
    {"GET", "/v1/sources/*", Right::read, &Handlers::find_source},
    {"PUT", "/v1/sources/*", Right::deploy, &Handlers::put_source},
    {"POST", "/v1/session", Right::deploy, &Handlers::open_session},
    {"POST", "/v1/session/detach", Right::deploy, &Handlers::detach_session},
    {"POST", "/v1/session/stop", Right::deploy, &Handlers::stop_session},
};

/// What every call has in common: rights, versions, the record of changes.
net::Response answer(Handlers& handlers, const Access& access, const Row& row, net::Request& request) {
  net::Response response;
  request.log_fields["uid"] = std::to_string(request.peer.uid);
  try {
    access.check(request.peer);
    wire::check_versions(request.header(wire::kClientHeader), wire::build().version);
    response = (handlers.*row.answer)(request);
  } catch (const Error& error) {
    response = net::error_response(error);
    if (error.kind() == Error::broken) request.log_fields["msg"] = error.what();
  }
  response.headers.emplace_back(wire::kServerHeader, wire::build().version);
  if (row.right != Right::read) record(request, response.status);
  return response;
}

}  // namespace

struct Api::Impl {
  Impl(Parts parts, Options options)
      : access(options.owner, options.group), handlers(parts, std::move(options)) {
    health.add("database", kit::database_check(parts.database, schema()));
  }

  Access access;
  Handlers handlers;
  kit::Health health;
};

Api::Api(Parts parts, Options options) : impl_(std::make_unique<Impl>(parts, std::move(options))) {}
Api::~Api() = default;

std::vector<net::Route> Api::routes() {
  std::vector<net::Route> routes = kit::health_routes(impl_->health, wire::to_json(wire::build()).print());
  for (const Row& row : kRoutes) {
    auto handler = [this, &row](net::Request& request) {
      return answer(impl_->handlers, impl_->access, row, request);
    };
    routes.push_back({row.method, row.pattern, handler});
  }
  return routes;
}

void Api::stop() { impl_->handlers.stop(); }

}  // namespace holdall::api
