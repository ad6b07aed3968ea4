#include "release/served.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "release/plan.h"

namespace holdall::release {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr auto kLoopback = "127.0.0.1";

std::chrono::milliseconds milliseconds(std::chrono::nanoseconds span) {
  return std::chrono::ceil<std::chrono::milliseconds>(span);
}

router::Pool pool_of(const std::string& app, const app::Service& service) {
  router::Pool pool;
  pool.name = pool_name(app, service.name);
  pool.hold_timeout = milliseconds(service.hold_timeout);
  if (service.response_timeout) pool.response_timeout = milliseconds(*service.response_timeout);
  if (service.largest_body) pool.largest_body = *service.largest_body;
  return pool;
}

/// Of the group's instances, those that the release counts: one that grows or shrinks has others beside them.
std::vector<router::Target> ready_targets(const std::string& app, const GroupId& group, int replicas,
                                          const supervise::Snapshot& snapshot) {
  std::vector<router::Target> targets;
  for (const supervise::InstanceStatus& instance : snapshot.instances) {
    if (instance.group != group || instance.slot > replicas) continue;
    if (instance.health != supervise::Health::ready) continue;
    targets.push_back({instance.id, instance.address, app + "/" + version(release_of(group))});
  }
  return targets;
}

bool all_addresses(const net::Address& address) {
  return address.host.empty() || address.host == "::" || address.host == "0.0.0.0";
}

bool overlap(const net::Address& one, const net::Address& other) {
  if (one.is_unix() || other.is_unix()) return one == other;
  return one.port == other.port && (one.host == other.host || all_addresses(one) || all_addresses(other));
}

/// Services that routes of development are made for, as the file lists them.
std::vector<std::string> routed_in_development(const app::App& app) {
  std::vector<std::string> routed, published;
  for (const std::string& name : app.service_order) {
    const app::Service& service = app.services.at(name);
    if (!service.routes.empty()) routed.push_back(name);
    if (std::ranges::any_of(service.ports, [](const app::Port& port) { return port.published != 0; })) {
      published.push_back(name);
    }
  }
  return routed.empty() ? published : routed;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

std::string pool_name(const std::string& app, const std::string& service) { return app + "/" + service; }

std::vector<Published> published_ports(const Served& served) {
  std::vector<Published> ports;
  for (const std::string& name : served.app.service_order) {
    for (const app::Port& port : served.app.services.at(name).ports) {
      if (port.published == 0 || port.protocol != "tcp") continue;
      net::Address address{port.host_ip, port.published, {}};
      if (address.host.empty() && served.development) address.host = kLoopback;
      // A protocol that is named and is not HTTP is never looked into: its client may well wait for the
      // server's word.
      const bool stream = !port.app_protocol.empty() && !port.app_protocol.starts_with("http");
      ports.push_back({address, name, stream ? router::Listener::tcp : router::Listener::detect});
    }
  }
  return ports;
}

std::vector<router::Listener> listeners(const Served& served) {
  std::vector<router::Listener> all;
  const std::string& app = served.app.name;
  // A published socket is named by its address, not by its service: so it stays open while a release moves
  // the port from one service to another.
  for (const Published& port : published_ports(served)) {
    all.push_back(
        {app + "/" + net::text(port.address), port.address, port.kind, pool_name(app, port.service)});
  }
  for (const auto& [service, port] : served.service_ports) {
    if (!served.app.services.contains(service)) continue;
    const net::Address address{kLoopback, port, {}};
    all.push_back({app + "/" + net::text(address), address, router::Listener::detect, pool_name(app, service),
                   /*internal=*/true});
  }
  return all;
}

std::vector<router::Route> routes(const Served& served) {
  std::vector<router::Route> all;
  const std::string& app = served.app.name;
  if (!served.development) {
    for (const std::string& name : served.app.service_order) {
      for (const app::RouteRule& rule : served.app.services.at(name).routes) {
        all.push_back({lower(rule.host), rule.path, rule.strip, pool_name(app, name)});
      }
    }
    return all;
  }
  bool first = true;
  for (const std::string& name : routed_in_development(served.app)) {
    const std::string host = lower(fmt::format("{}.localhost", app));
    if (first) all.push_back({host, "/", false, pool_name(app, name)});
    all.push_back({lower(name) + "." + host, "/", false, pool_name(app, name)});
    first = false;
  }
  return all;
}

std::vector<std::string> urls(const Served& served, const net::Address& http) {
  std::vector<std::string> all;
  const std::string port = http.port == kHttpPort ? "" : fmt::format(":{}", http.port);
  for (const router::Route& route : routes(served)) {
    all.push_back(fmt::format("http://{}{}{}", route.host, port, route.path));
  }
  return all;
}

router::RouteTable make_table(const net::Address& http, const std::vector<AppInTable>& apps,
                              const supervise::Snapshot& snapshot) {
  router::RouteTable table;
  table.listeners.push_back({"http", http, router::Listener::http, {}});
  for (const AppInTable& one : apps) {
    std::set<std::string> pools, sockets;
    if (one.serving) {
      const app::App& app = one.serving->app;
      for (const auto& [name, service] : app.services) {
        if (!service.has_port()) continue;
        router::Pool pool = pool_of(app.name, service);
        const auto group = one.serving->groups.find(name);
        if (group != one.serving->groups.end())
          pool.targets = ready_targets(app.name, group->second, service.replicas, snapshot);
        pool.maintenance = one.maintenance;
        pools.insert(pool.name);
        table.pools.push_back(std::move(pool));
      }
      for (router::Route& route : routes(*one.serving)) table.routes.push_back(std::move(route));
      for (router::Listener& listener : listeners(*one.serving)) {
        sockets.insert(listener.name);
        table.listeners.push_back(std::move(listener));
      }
    }
    if (!one.coming) continue;
    for (router::Listener& listener : listeners(*one.coming)) {
      if (sockets.contains(listener.name)) continue;
      if (pools.insert(listener.pool).second) {
        const std::string service = listener.pool.substr(one.coming->app.name.size() + 1);
        table.pools.push_back(pool_of(one.coming->app.name, one.coming->app.services.at(service)));
      }
      table.listeners.push_back(std::move(listener));
    }
  }
  return table;
}

void check_claims(const Served& wanted, const std::vector<const Served*>& others, const net::Address& http) {
  const auto wanted_routes = routes(wanted);
  const auto wanted_listeners = listeners(wanted);
  for (const Served* other : others) {
    for (const router::Route& theirs : routes(*other)) {
      for (const router::Route& ours : wanted_routes) {
        if (ours.host != theirs.host) continue;
        throw Error(Error::conflict,
                    fmt::format("host {} is already routed to app '{}'", ours.host, other->app.name));
      }
    }
    for (const router::Listener& theirs : listeners(*other)) {
      for (const router::Listener& ours : wanted_listeners) {
        if (!overlap(ours.address, theirs.address)) continue;
        throw Error(Error::conflict,
                    fmt::format("port {} is already published by app '{}' at {}", ours.address.port,
                                other->app.name, net::text(theirs.address)));
      }
    }
  }
  std::map<std::pair<std::string, std::string>, std::string> claimed;
  for (const router::Route& route : wanted_routes) {
    const auto [found, fresh] = claimed.try_emplace({route.host, route.path}, route.pool);
    if (fresh) continue;
    throw Error(Error::conflict, fmt::format("{}{} is routed to both {} and {}", route.host, route.path,
                                             found->second, route.pool));
  }
  for (std::size_t i = 0; i < wanted_listeners.size(); ++i) {
    const router::Listener& one = wanted_listeners[i];
    if (overlap(one.address, http)) {
      throw Error(Error::conflict, fmt::format("port {} of {} is the router's own HTTP port; publish another",
                                               one.address.port, one.pool));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (!overlap(one.address, wanted_listeners[j].address)) continue;
      throw Error(Error::conflict, fmt::format("{} is published by both {} and {}", net::text(one.address),
                                               wanted_listeners[j].pool, one.pool));
    }
  }
}

}  // namespace holdall::release
