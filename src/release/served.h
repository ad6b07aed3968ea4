#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/id.h"
#include "net/address.h"
#include "router/router.h"
#include "supervise/supervise.h"

namespace holdall::release {

/// A release as the route table sees it. A value.
struct Served {
  app::App app;
  bool development = false;
  std::map<std::string, GroupId> groups;               ///< service -> what runs it
  std::map<std::string, std::uint16_t> service_ports;  ///< service -> its stable loopback port
};

/// A TCP port that a service publishes.
struct Published {
  net::Address address;
  std::string service;
  router::Listener::Kind kind = router::Listener::detect;
};
std::vector<Published> published_ports(const Served& served);

/// All sockets of the app: what it publishes, and the loopback port of each service that has one.
std::vector<router::Listener> listeners(const Served& served);

/// In a release, the routes that are written. In development, SERVICE.APP.localhost of each service with a
/// route, or, when none has one, with a published port; the first also at APP.localhost.
std::vector<router::Route> routes(const Served& served);

/// "http://hello.localhost:8080/", one a route.
std::vector<std::string> urls(const Served& served, const net::Address& http);

/// "hello/web".
std::string pool_name(const std::string& app, const std::string& service);

/// One app's part of the table: what serves, and the release that will, whose sockets are held before it
/// starts.
struct AppInTable {
  const Served* serving = nullptr;                       ///< null before the first release went live
  const Served* coming = nullptr;                        ///< null unless one is starting
  std::optional<std::chrono::milliseconds> maintenance;  ///< how long requests from outside wait for its end
};

/// The table that follows from what serves and what is ready: only ready instances are targets, each labelled
/// with the release that started it. A coming release has its sockets in it, with nothing behind them, but no
/// routes. Without a version.
router::RouteTable make_table(const net::Address& http, const std::vector<AppInTable>& apps,
                              const supervise::Snapshot& snapshot);

/// Throws `conflict` if `wanted` claims a host or an address twice, or one that another app or the router's
/// own HTTP listener has; names both.
void check_claims(const Served& wanted, const std::vector<const Served*>& others, const net::Address& http);

}  // namespace holdall::release
