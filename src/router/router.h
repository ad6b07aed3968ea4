#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "net/address.h"

namespace holdall::router {

/// One ready instance.
struct Target {
  InstanceId id;
  net::Address address;
  std::string release;  ///< "hello/v3": the label that its requests are counted under

  bool operator==(const Target&) const = default;
};

/// The ready instances of one service. Its name lives through every release; with no target, requests are
/// held.
struct Pool {
  std::string name;  ///< "hello/web"
  std::vector<Target> targets;
  std::chrono::milliseconds hold_timeout{30'000};
  std::chrono::milliseconds response_timeout{
      60'000};  ///< without a byte from the instance; not for upgraded connections
  std::uint64_t largest_body = 100ull << 20;
  /// The app is in maintenance: requests that come from outside are held this long, and are then told so.
  std::optional<std::chrono::milliseconds> maintenance;

  bool operator==(const Pool&) const = default;
};

/// `host` and the longest matching `path` prefix (at a segment's border) choose a pool.
struct Route {
  std::string host;  ///< lower case, without port
  std::string path = "/";
  bool strip = false;  ///< the prefix is cut off before the request is passed on
  std::string pool;

  bool operator==(const Route&) const = default;
};

/// A public socket. The serve parent binds it; the router gets its descriptor by name.
struct Listener {
  enum Kind : std::uint8_t {
    http,    ///< routed by host and path
    detect,  ///< one pool: as HTTP if the connection begins like it, else as a stream
    tcp,     ///< one pool, as a stream
  };
  std::string name;  ///< "http", "hello/web:5432"
  net::Address address;
  Kind kind = http;
  std::string pool;       ///< for detect and tcp
  bool internal = false;  ///< for the app's own services: maintenance does not concern it

  bool operator==(const Listener&) const = default;
};

/// How requests reach instances. A value: the router keeps no other state about apps.
struct RouteTable {
  std::uint64_t version = 0;
  std::vector<Listener> listeners;
  std::vector<Route> routes;
  std::vector<Pool> pools;

  bool operator==(const RouteTable&) const = default;
};

Json to_json(const RouteTable& table);
RouteTable parse_table(const Json& json);  ///< throws `invalid`

/// Throws `conflict` naming both if two routes claim one host and path, or two listeners one address.
void check(const RouteTable& table);

/// Cumulative since the router process (its epoch) started. A request counts once.
struct Counters {
  struct PerRelease;
  /// By Target::release; "hello/" for requests of hello that no instance was found for, "" where not even the
  /// app is known.
  using Releases = std::map<std::string, PerRelease>;
  struct PerRelease {
    std::uint64_t served = 0;   ///< answered by the app, whatever it said
    std::uint64_t app_5xx = 0;  ///< of those, the app's own 5xx
    std::map<std::string, std::uint64_t>
        failed;                     ///< cause ("connect", "closed", "timeout", "no instance", ...) -> count
    std::uint64_t cut = 0;          ///< upgraded connections and answers still open at a drain deadline
    std::uint64_t left = 0;         ///< the client went first
    std::uint64_t maintenance = 0;  ///< told that the app is in maintenance
  };
  std::string epoch;
  WallTime started;
  Releases releases;
  std::uint64_t log_lines_dropped = 0;

  /// A router that was replaced as planned (an upgrade), and what it has counted, or counts still: its last
  /// requests may be running.
  struct Earlier {
    std::string epoch;
    Releases releases;
    bool ended = false;
  };
  std::vector<Earlier> earlier = {};  ///< the oldest first, each replaced by the next, the last by this one
};

/// A listener whose address could not be bound, and why: "address 0.0.0.0:5432 is in use".
struct Unbound {
  Listener listener;
  std::string problem;

  bool operator==(const Unbound&) const = default;
};

/// Of the routers that serve runs: one, or more while one replaces another.
struct RouterNews {
  std::vector<Fd> links;              ///< sockets to routers, the oldest first; one ends with its router
  std::map<std::string, Fd> counted;  ///< epoch -> a memfd with the last counters of a router that retired
};

/// What serve does for whoever publishes: sockets and tables that outlive control and router.
class Parent {
 public:
  virtual ~Parent() = default;
  /// Binds and keeps the listener's address; already bound under that name: nothing. Throws `conflict` if it
  /// is in use.
  virtual void bind(const Listener& listener) = 0;
  /// Closes every kept listener that is not named.
  virtual void keep_only(const std::vector<std::string>& names) = 0;
  virtual void keep_table(const Fd& sealed_memfd) = 0;
  /// What has come since the last call; never waits. Whatever came before the answer to any of the calls
  /// above is here when that returns.
  virtual RouterNews router_news() = 0;
  virtual int news_descriptor() const = 0;  ///< polls readable when there is news
};

/// Control's end of the router. Thread-safe; one publish at a time. Survives a router that dies: the new one
/// has the table from serve, and gets it again here. While one router replaces another there are two: a table
/// is published when both serve it, a drain complete when both have drained.
class Router {
 public:
  virtual ~Router() = default;

  /// Binds those of the listeners that are not bound yet. Returns those that cannot be: an address that a
  /// stranger has costs its own listener and no other.
  virtual std::vector<Unbound> bind(const std::vector<Listener>& listeners) = 0;

  /// Sends new requests to `table`'s targets from now on; running ones finish on their old target. Binds what
  /// is new, hands the table to the parent, and returns when every worker has acknowledged it, with the
  /// listeners that could not be bound: `bind` may be tried for them later.
  /// `table.version` must exceed that of the last one, and be on the disk already. Throws `conflict`, and
  /// changes nothing, if two routes claim one host; `busy` at the deadline.
  virtual std::vector<Unbound> publish(const RouteTable& table, Deadline deadline) = 0;

  struct Drained {
    bool complete = true;        ///< false: the deadline came first
    std::uint64_t cut = 0;       ///< what was still open then and was closed
    std::uint64_t finished = 0;  ///< requests that ended on these targets meanwhile
  };
  /// Returns when none of the targets (which the last table no longer has) holds a request or a pooled
  /// connection, or at `drain_deadline`, when what is left is closed. A router that restarted meanwhile has
  /// drained them. Targets that a later table has again are no longer drained: none of their requests is
  /// closed, and the call returns at once, incomplete.
  virtual Drained drain(const std::vector<InstanceId>& targets, Deadline drain_deadline) = 0;

  /// Drains in progress return at once, incomplete, and the next ones too: the caller is going away. The
  /// router goes on draining.
  virtual void leave_drains() {}

  /// Nothing if no router answers by the deadline.
  virtual std::optional<Counters> counters(Deadline deadline) = 0;
};

/// `parent` outlives it.
std::unique_ptr<Router> make_router(Parent& parent);

/// The router process: `holdall router`, with serve's socket as descriptor 3 (docs/formats/processes.md).
/// Drops every right it can, then serves until serve's socket closes or SIGTERM. Returns the exit code.
int router_main(int workers);

}  // namespace holdall::router
