#include "router/router.h"

#include <fmt/format.h>

#include <set>

#include "base/error.h"

namespace holdall::router {
namespace {

using std::chrono::milliseconds;

std::string_view kind_name(Listener::Kind kind) {
  switch (kind) {
    case Listener::http: return "http";
    case Listener::detect: return "detect";
    case Listener::tcp: break;
  }
  return "tcp";
}

Listener::Kind parse_kind(const std::string& name) {
  for (Listener::Kind kind : {Listener::http, Listener::detect, Listener::tcp}) {
    if (kind_name(kind) == name) return kind;
  }
  throw Error(Error::invalid, fmt::format("a listener's kind is http, detect or tcp, not '{}'", name));
}

Json to_json(const Listener& listener) {
  return Json::object({{"name", listener.name},
                       {"address", net::text(listener.address)},
                       {"kind", kind_name(listener.kind)},
                       {"pool", listener.pool},
                       {"internal", listener.internal}});
}

Json to_json(const Route& route) {
  return Json::object(
      {{"host", route.host}, {"path", route.path}, {"strip", route.strip}, {"pool", route.pool}});
}

Json to_json(const Pool& pool) {
  Json targets = Json::array();
  for (const Target& target : pool.targets) {
    targets.add(Json::object(
        {{"id", target.id.value}, {"address", net::text(target.address)}, {"release", target.release}}));
  }
  Json maintenance = pool.maintenance ? Json(pool.maintenance->count()) : Json();
  return Json::object({{"name", pool.name},
                       {"hold_timeout_ms", pool.hold_timeout.count()},
                       {"response_timeout_ms", pool.response_timeout.count()},
                       {"largest_body", static_cast<std::int64_t>(pool.largest_body)},
                       {"maintenance_ms", std::move(maintenance)},
                       {"targets", std::move(targets)}});
}

Pool parse_pool(const Json& json) {
  Pool pool;
  pool.name = json.at("name").string();
  pool.hold_timeout = milliseconds(json.at("hold_timeout_ms").integer());
  pool.response_timeout = milliseconds(json.at("response_timeout_ms").integer());
  pool.largest_body = static_cast<std::uint64_t>(json.at("largest_body").integer());
  // A table that an older control stored has none.
  if (const Json* hold = json.find("maintenance_ms"); hold && !hold->is_null())
    pool.maintenance = milliseconds(hold->integer());
  for (const Json& target : json.at("targets").items()) {
    pool.targets.push_back({InstanceId{target.at("id").string()},
                            net::parse_address(target.at("address").string()),
                            target.at("release").string()});
  }
  return pool;
}

}  // namespace

Json to_json(const RouteTable& table) {
  Json listeners = Json::array(), routes = Json::array(), pools = Json::array();
  for (const Listener& listener : table.listeners) listeners.add(to_json(listener));
  for (const Route& route : table.routes) routes.add(to_json(route));
  for (const Pool& pool : table.pools) pools.add(to_json(pool));
  return Json::object({{"version", static_cast<std::int64_t>(table.version)},
                       {"listeners", std::move(listeners)},
                       {"routes", std::move(routes)},
                       {"pools", std::move(pools)}});
}

RouteTable parse_table(const Json& json) {
  RouteTable table;
  table.version = static_cast<std::uint64_t>(json.at("version").integer());
  for (const Json& listener : json.at("listeners").items()) {
    table.listeners.push_back({listener.at("name").string(),
                               net::parse_address(listener.at("address").string()),
                               parse_kind(listener.at("kind").string()), listener.at("pool").string(),
                               listener.boolean_or("internal", false)});
  }
  for (const Json& route : json.at("routes").items()) {
    table.routes.push_back({route.at("host").string(), route.at("path").string(), route.at("strip").boolean(),
                            route.at("pool").string()});
  }
  for (const Json& pool : json.at("pools").items()) table.pools.push_back(parse_pool(pool));
  return table;
}

void check(const RouteTable& table) {
  std::map<std::pair<std::string, std::string>, const Route*> claimed;
  for (const Route& route : table.routes) {
    auto [other, fresh] = claimed.try_emplace({route.host, route.path}, &route);
    if (fresh) continue;
    throw Error(Error::conflict,
                fmt::format("{}{} is claimed by both '{}' and '{}'; give one of them another route",
                            route.host, route.path, other->second->pool, route.pool));
  }
  std::map<net::Address, const Listener*> taken;
  std::set<std::string> names;
  for (const Listener& listener : table.listeners) {
    auto [other, fresh] = taken.try_emplace(listener.address, &listener);
    if (!fresh) {
      throw Error(Error::conflict,
                  fmt::format("{} is published by both '{}' and '{}'; publish one of them elsewhere",
                              net::text(listener.address), other->second->name, listener.name));
    }
    if (!names.insert(listener.name).second) {
      throw Error(Error::conflict, fmt::format("two listeners are named '{}'", listener.name));
    }
  }
}

}  // namespace holdall::router
