#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/address.h"
#include "router/router.h"

namespace holdall::router {

class Upstream;

/// Why the router itself ended a request badly.
enum class Cause : std::uint8_t { connect, closed, timeout, no_instance, bad_answer, overloaded, none };
constexpr std::size_t kCauses = static_cast<std::size_t>(Cause::none);
std::string_view name(Cause cause);

/// What became of the requests of one release. Each worker writes its own line, so that none waits for
/// another's cache.
struct ReleaseCounters {
  struct alignas(64) PerWorker {
    std::atomic<std::uint64_t> served = 0, app_5xx = 0, cut = 0, left = 0, maintenance = 0;
    std::array<std::atomic<std::uint64_t>, kCauses> failed{};
  };
  explicit ReleaseCounters(std::size_t workers) : workers(workers) {}
  std::vector<PerWorker> workers;
};

/// A target and what all workers know of it. It outlives the tables that name it until nothing uses it any
/// more.
struct LiveTarget {
  LiveTarget(Target target, ReleaseCounters& counters, std::size_t workers);
  ~LiveTarget();

  const Target target;
  const net::SocketAddress address;
  ReleaseCounters& counters;

  std::atomic<int> running = 0;      ///< requests and streams on it: what balancing compares
  std::atomic<int> connections = 0;  ///< open to it, in use or pooled
  std::atomic<std::uint64_t> finished = 0;
  std::atomic<bool> watched = false;  ///< somebody waits for both counts to become 0

  bool unused() const { return running == 0 && connections == 0; }

  struct alignas(64) PerWorker {
    std::vector<std::unique_ptr<Upstream>> pooled;  ///< last used last
    bool in_table = false;                          ///< of the table that this worker serves
    bool keeps = false;  ///< does not hang up right after an answer, as far as is known
  };
  std::vector<PerWorker> workers;  ///< each touched by its worker only

  // The fleet's own, touched by its thread only.
  bool listed = false, marked = false;
  std::uint64_t finished_when_left = 0;
};

/// A pool's name as a number, given once and for ever: what a request remembers of its pool over table
/// changes.
using PoolNumber = std::uint32_t;

struct LivePool {
  Pool settings;              ///< without targets
  ReleaseCounters* unplaced;  ///< of requests that none of its app's instances was found for
  std::vector<LiveTarget*> targets;
};

struct LiveRoute {
  std::string path;
  bool strip = false;
  PoolNumber pool = 0;
};

/// A table made ready for look-ups. Immutable and shared by all workers; its LiveTargets are the fleet's.
class Snapshot {
 public:
  std::uint64_t version = 0;
  std::vector<Listener> listeners;
  std::vector<LiveTarget*> targets;  ///< of all pools, each once

  /// `host` in any case, perhaps with a final dot; nullptr if nobody serves it.
  const LiveRoute* route(std::string_view host, std::string_view path) const;
  /// nullptr if the table has no such pool (any more).
  const LivePool* pool(PoolNumber number) const;
  PoolNumber pool_of(const Listener& listener) const;

 private:
  friend class Fleet;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  // By host; the longest path first.
  std::unordered_map<std::string, std::vector<LiveRoute>, Hash, std::equal_to<>> routes_;
  std::vector<std::unique_ptr<LivePool>> pools_;  // by number; null for those that this table lacks
  std::map<std::string, PoolNumber, std::less<>> numbers_;
};

/// Every target that a table names or a request still uses, and the counters of every release since the
/// process started. One thread owns it; what it hands out is for the workers.
class Fleet {
 public:
  explicit Fleet(std::size_t workers);
  ~Fleet();

  /// Targets that were in a table before keep their connections and counts. `table` has been checked.
  std::shared_ptr<const Snapshot> compile(const RouteTable& table);

  /// Forgets targets that no table names and nothing uses. To be called when every worker serves the last
  /// snapshot. Then no use of such a target can begin, but its last may be ending; so it is only marked, and
  /// goes at the next call, before which every worker has been through a round.
  void forget_unused();

  std::vector<LiveTarget*> find(const std::vector<InstanceId>& ids);

  ReleaseCounters& counters(const std::string& release);
  std::map<std::string, Counters::PerRelease> counted() const;

 private:
  LiveTarget& live(const Target& target);

  std::size_t workers_;
  std::map<std::string, std::unique_ptr<ReleaseCounters>> counters_;
  std::vector<std::unique_ptr<LiveTarget>> targets_;
  std::map<std::string, PoolNumber, std::less<>> pool_numbers_;
};

}  // namespace holdall::router
