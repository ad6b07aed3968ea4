#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "net/server.h"

namespace holdall::kit {

/// How bad a finding is, with Dockerflow's numbers. From `error` on a heartbeat fails.
enum class Level { ok = 0, debug = 10, info = 20, warning = 30, error = 40, critical = 50 };

/// One thing that a check has to say. `id` is stable, so that it can be silenced:
/// "dockerflow.health.W001".
struct Finding {
  Level level;
  std::string id, message;
};

/// Looks at one backing service and tells what it found; nothing: all is well. An exception is an error too.
/// It should give up at the deadline: one that does not is reported as hanging until it returns.
using Check = std::function<std::vector<Finding>(Deadline)>;

struct HealthOptions {
  int failed_status = 500;         ///< of a heartbeat that failed
  std::set<std::string> silenced;  ///< ids of findings that are left out
  bool details = true;             ///< tell messages, not only each check's level
};

/// A load balancer asks for the health of a service every few seconds, and a database that hangs must neither
/// hang the answer nor pile up threads. So checks run at the same time, each on a thread of its own and with
/// its own timeout, and a heartbeat that finds one still running waits for that one. Thread-safe.
class Health {
 public:
  explicit Health(HealthOptions options = {});
  ~Health();  ///< waits for checks that are running
  Health(const Health&) = delete;

  /// Before the first heartbeat. `name` is what the answer calls it: "database".
  void add(std::string name, Check check, std::chrono::nanoseconds timeout = std::chrono::seconds(2));

  /// {"status", "checks": {name: level}, "details": {name: {"status", "level", "messages": {id: text}}}};
  /// findings are logged. Returns by the longest timeout.
  net::Response heartbeat();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Dockerflow's three, with and without a slash at the end: /__version__ is `version`, a JSON object, or 404
/// when it is empty; /__heartbeat__ is answered though the pool is full; /__lbheartbeat__ asks nobody.
std::vector<net::Route> health_routes(Health& health, std::string version);

/// The content of version.json in the working directory, else `embedded`. Throws `invalid` if it is no JSON
/// object.
std::string version_document(std::string_view embedded = "");

}  // namespace holdall::kit
