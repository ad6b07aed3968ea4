#include "release/served.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.h"

using namespace holdall;
using namespace holdall::release;

namespace {

const net::Address kHttp{"127.0.0.1", 8080, {}};

app::Service service(const std::string& name, std::vector<app::RouteRule> routes,
                     std::vector<app::Port> ports = {}) {
  app::Service service;
  service.name = name;
  service.routes = std::move(routes);
  service.ports = std::move(ports);
  return service;
}

app::Port port(std::uint16_t published, const std::string& host = "") {
  app::Port port;
  port.host_ip = host;
  port.published = published;
  port.target = 80;
  return port;
}

Served served(const std::string& app, std::vector<app::Service> services, bool development = false) {
  Served served;
  served.app.name = app;
  served.development = development;
  for (app::Service& one : services) {
    served.app.service_order.push_back(one.name);
    served.groups[one.name] = {app + "/" + one.name + "@v2"};
    served.app.services[one.name] = std::move(one);
  }
  return served;
}

supervise::InstanceStatus instance(const std::string& group, int slot, supervise::Health health) {
  supervise::InstanceStatus one;
  one.id = {group + "#" + std::to_string(slot)};
  one.group = {group};
  one.slot = slot;
  one.health = health;
  one.address = {"127.0.0.1", static_cast<std::uint16_t>(40'000 + slot), {}};
  return one;
}

std::vector<std::string> hosts(const Served& served) {
  std::vector<std::string> all;
  for (const router::Route& route : routes(served)) all.push_back(route.host);
  return all;
}

}  // namespace

TEST_CASE("only ready instances of what serves are targets, labelled with their release") {
  const Served shop = served("shop", {service("web", {{"shop.example.com", "/", false}})});
  supervise::Snapshot snapshot;
  snapshot.instances = {instance("shop/web@v2", 1, supervise::Health::ready),
                        instance("shop/web@v2", 2, supervise::Health::unready),
                        instance("shop/web@v3", 1, supervise::Health::ready)};
  const router::RouteTable table = make_table(kHttp, {{&shop, nullptr}}, snapshot);
  REQUIRE(table.pools.size() == 1);
  CHECK(table.pools[0].name == "shop/web");
  REQUIRE(table.pools[0].targets.size() == 1);
  CHECK(table.pools[0].targets[0].id.value == "shop/web@v2#1");
  CHECK(table.pools[0].targets[0].release == "shop/v2");
  CHECK(table.routes == std::vector<router::Route>{{"shop.example.com", "/", false, "shop/web"}});
  CHECK(table.listeners == std::vector<router::Listener>{{"http", kHttp, router::Listener::http, ""}});
}

TEST_CASE("a coming release has its sockets bound, with nothing behind them and no routes") {
  const Served shop = served("shop", {service("web", {{"shop.example.com", "/", false}}, {port(5432)})});
  supervise::Snapshot snapshot;
  snapshot.instances = {instance("shop/web@v2", 1, supervise::Health::ready)};
  const router::RouteTable table = make_table(kHttp, {{nullptr, &shop}}, snapshot);
  CHECK(table.routes.empty());
  REQUIRE(table.listeners.size() == 2);
  CHECK(table.listeners[1].address == net::Address{"", 5432, {}});
  REQUIRE(table.pools.size() == 1);
  CHECK(table.pools[0].targets.empty());
}

TEST_CASE(
    "a published port is on all addresses in a release, and on loopback in development unless one is "
    "written") {
  const std::vector<app::Service> services{service("db", {}, {port(5432), port(5433, "0.0.0.0")})};
  CHECK(published_ports(served("shop", services))[0].address == net::Address{"", 5432, {}});
  const auto ports = published_ports(served("shop", services, true));
  CHECK(ports[0].address == net::Address{"127.0.0.1", 5432, {}});
  CHECK(ports[1].address == net::Address{"0.0.0.0", 5433, {}});
}

TEST_CASE("a published port begins as HTTP or as a stream, unless its protocol is named and is another") {
  app::Port stream = port(5432);
  stream.app_protocol = "postgresql";
  app::Port http = port(8000);
  http.app_protocol = "http";
  const auto ports = published_ports(served("shop", {service("db", {}, {stream, http, port(9000)})}));
  CHECK(ports[0].kind == router::Listener::tcp);
  CHECK(ports[1].kind == router::Listener::detect);
  CHECK(ports[2].kind == router::Listener::detect);
}

TEST_CASE("each service with a loopback port has a listener there") {
  Served shop = served("shop", {service("web", {{"shop.example.com", "/", false}})});
  shop.service_ports = {{"web", 20'001}, {"gone", 20'002}};
  const auto all = listeners(shop);
  REQUIRE(all.size() == 1);
  CHECK(all[0].address == net::Address{"127.0.0.1", 20'001, {}});
  CHECK(all[0].pool == "shop/web");
}

TEST_CASE("in development routed services are at SERVICE.APP.localhost, the first also at APP.localhost") {
  const auto routed =
      served("shop",
             {service("db", {}, {port(5432)}), service("web", {{"shop.example.com", "/", false}}),
              service("api", {{"shop.example.com", "/api", false}})},
             true);
  CHECK(hosts(routed) ==
        std::vector<std::string>{"shop.localhost", "web.shop.localhost", "api.shop.localhost"});
}

TEST_CASE("in development without any route, services with published ports are routed") {
  const auto published = served("shop", {service("worker", {}), service("web", {}, {port(8000)})}, true);
  CHECK(hosts(published) == std::vector<std::string>{"shop.localhost", "web.shop.localhost"});
  CHECK(urls(published, kHttp) ==
        std::vector<std::string>{"http://shop.localhost:8080/", "http://web.shop.localhost:8080/"});
}

TEST_CASE("a port that a release moves to another service stays one socket") {
  const auto before = listeners(served("shop", {service("a", {}, {port(5432)}), service("b", {})}));
  const auto after = listeners(served("shop", {service("a", {}), service("b", {}, {port(5432)})}));
  CHECK(before[0].name == after[0].name);
  CHECK(before[0].pool != after[0].pool);
}

TEST_CASE("a host of another app is a conflict that names it") {
  const Served ours = served("shop", {service("web", {{"x.example.com", "/", false}})});
  const Served theirs = served("store", {service("web", {{"x.example.com", "/other", false}})});
  CHECK_THROWS_WITH_AS(check_claims(ours, {&theirs}, kHttp),
                       "host x.example.com is already routed to app 'store'", Error);
}

TEST_CASE("a port of another app is a conflict, on whichever address") {
  const Served ours = served("shop", {service("db", {}, {port(5432)})});
  const Served theirs = served("store", {service("db", {}, {port(5432, "10.0.0.1")})});
  CHECK_THROWS_WITH_AS(check_claims(ours, {&theirs}, kHttp),
                       "port 5432 is already published by app 'store' at 10.0.0.1:5432", Error);
  const Served elsewhere = served("store", {service("db", {}, {port(5433, "10.0.0.1")})});
  CHECK_NOTHROW(check_claims(ours, {&elsewhere}, kHttp));
}

TEST_CASE("the router's own port and a port published twice are conflicts") {
  CHECK_THROWS_WITH_AS(check_claims(served("shop", {service("db", {}, {port(8080)})}), {}, kHttp),
                       "port 8080 of shop/db is the router's own HTTP port; publish another", Error);
  CHECK_THROWS_AS(
      check_claims(served("shop", {service("a", {}, {port(90)}), service("b", {}, {port(90, "127.0.0.1")})}),
                   {}, kHttp),
      Error);
  const std::vector<app::RouteRule> route{{"x.example.com", "/", false}};
  CHECK_THROWS_WITH_AS(check_claims(served("shop", {service("a", route), service("b", route)}), {}, kHttp),
                       "x.example.com/ is routed to both shop/a and shop/b", Error);
}
