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
    {"GET", "/v1/server", Right::look, &Handlers::server},
    {"GET", "/v1/apps", Right::look, &Handlers::apps},
    {"GET", "/v1/apps/*/status", Right::look, &Handlers::status},
    {"POST", "/v1/apps/*/plan", Right::look, &Handlers::plan},
    {"POST", "/v1/apps/*/releases", Right::change, &Handlers::deploy},
    {"GET", "/v1/apps/*/releases", Right::look, &Handlers::releases},
    {"GET", "/v1/apps/*/releases/*", Right::look, &Handlers::release},
    {"GET", "/v1/apps/*/releases/*/events", Right::look, &Handlers::events},
    {"POST", "/v1/apps/*/rollback", Right::change, &Handlers::rollback},
    {"POST", "/v1/apps/*/cancel", Right::change, &Handlers::cancel},
    {"DELETE", "/v1/apps/*", Right::change, &Handlers::destroy},
    {"GET", "/v1/apps/*/keys", Right::look, &Handlers::keys},
    {"POST", "/v1/apps/*/keys", Right::change, &Handlers::ensure_key},
    {"POST", "/v1/apps/*/sealed/check", Right::look, &Handlers::check_sealed},
    {"POST", "/v1/apps/*/sealed/reseal", Right::change, &Handlers::reseal},
    {"GET", "/v1/apps/*/logs", Right::look, &Handlers::logs},
    {"GET", "/v1/sources/*", Right::look, &Handlers::find_source},
    {"PUT", "/v1/sources/*", Right::change, &Handlers::put_source},
    {"POST", "/v1/session", Right::change, &Handlers::open_session},
    {"POST", "/v1/session/detach", Right::change, &Handlers::detach_session},
    {"POST", "/v1/session/stop", Right::change, &Handlers::stop_session},
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
  if (row.right == Right::change) record(request, response.status);
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
