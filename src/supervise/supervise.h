#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "engine/engine.h"
#include "store/store.h"

namespace holdall::supervise {

/// How an instance is found fit to serve, from outside.
struct Gate {
  enum class Kind : std::uint8_t {
    running,  ///< it was executed
    port,     ///< it accepts a connection
    http,     ///< it accepts, then answers GET `path` with a status in range
    command,  ///< `command`, run in the instance, exits 0
    file,     ///< it touches the file `path`, again and again, at least every `period`
  };
  Kind kind = Kind::running;
  std::string path;        ///< of a file: as the instance sees it; a relative one from its HOME
  std::uint16_t port = 0;  ///< instead of its own; 0: its own
  int status_from = 200, status_to = 399;
  std::vector<std::string> command;
  std::chrono::nanoseconds interval{250'000'000};           ///< until the watch has ended
  std::chrono::nanoseconds later_interval{10'000'000'000};  ///< afterwards
  std::chrono::nanoseconds timeout{5'000'000'000};          ///< of one probe
  std::chrono::nanoseconds period{10'000'000'000};          ///< of a file: from one touch to the next
  std::chrono::nanoseconds start_timeout{60'000'000'000};   ///< not ready by then: failed
  std::chrono::nanoseconds start_period{0};                 ///< of a healthcheck: failures in it do not count
  int retries = 1;  ///< failed probes in a row that make a ready instance unready: 1 for `ready`,
                    ///< healthcheck's own else

  bool operator==(const Gate&) const = default;
};

struct RestartPolicy {
  enum Kind : std::uint8_t { no, always, on_failure };
  Kind kind = on_failure;
  int most = 0;                                     ///< tries after the first; 0: no limit
  std::optional<std::chrono::nanoseconds> delay;    ///< between two tries, instead of 0, 1, 2, 4 ... 60 s
  std::chrono::nanoseconds window{10'000'000'000};  ///< who lived this long did not fail to start
  bool operator==(const RestartPolicy&) const = default;
};

/// What should run: `replicas` instances of one workload. A value; stored.
struct Group {
  GroupId id;
  engine::Workload workload;
  int replicas = 1;
  bool has_port = false;
  Gate gate;
  RestartPolicy restart;
  std::chrono::nanoseconds drain{0};  ///< how long an instance that was replaced may finish what it has

  bool operator==(const Group&) const = default;
};

Json to_json(const Group& group);
Group parse_group(const Json& json);

enum class Health : std::uint8_t {
  starting,   ///< not ready yet
  ready,      ///< passed its gate
  unready,    ///< was ready, and failed probes since
  waiting,    ///< exited; started again at `restart_at`
  completed,  ///< exited 0 and is not started again
  failed,  ///< exited, never ran, or was the first and not ready in time; it is not started again by itself
  stopping,
};
std::string_view name(Health health);

struct InstanceStatus {
  InstanceId id;  ///< of the newest try at this slot
  GroupId group;
  std::string app, service;
  int slot = 0;
  int restarts = 0;  ///< how often this slot was started again
  Health health = Health::starting;
  bool confirmed = true;  ///< false: ready as a former control found it, or as it was before `look_again`,
                          ///< and no probe has passed since
  net::Address address;
  /// Why it is not ready, for people: "exited with code 3, 120 ms after start", "listens on 127.0.0.1:3000,
  /// expected 0.0.0.0:41873 ($PORT)", "GET /up answered 500, expected 200-399". Empty when ready.
  std::string reason;
  bool wrong_listener = false;      ///< it listens, and not where it should
  std::optional<Exit> exit;         ///< of the newest try that ended
  std::optional<Instant> executed;  ///< its program was executed
  std::optional<Instant> accepted;  ///< the first connection was accepted
  std::optional<Instant> ready_since;
  std::optional<Instant> unready_since;  ///< the probe that made it unready
  std::optional<Instant> restart_at;

  bool operator==(const InstanceStatus&) const = default;
};

/// An instance whose place another one has taken because it had failed its probes.
struct Leaving {
  InstanceId id;
  Instant until;  ///< it is stopped then at the latest
  bool operator==(const Leaving&) const = default;
};

/// All wanted groups and what becomes of them, at one instant.
struct Snapshot {
  std::uint64_t version = 0;
  std::vector<InstanceStatus>
      instances;  ///< in order of group, then slot; one a slot, and those still stopping
  std::vector<Leaving> leaving;

  std::vector<InstanceStatus> of(const GroupId& group) const;
};

/// Desired against observed: what should run is started, what exits is started again after 0, 1, 2, 4 ... 60
/// s (reset after 10 s alive), what is not wanted is stopped, and each instance is probed through its gate.
/// One that fails its probes after it was ready is replaced: another one is started beside it, and whichever
/// of the two is ready first stays. One without a heartbeat is stopped first.
/// The only place that decides restarts. Groups and instances are rows: after a crash the next Supervisor
/// adopts what runs. Thread-safe; one thread of its own does the work.
class Supervisor {
 public:
  virtual ~Supervisor() = default;  ///< stops watching; instances run on

  /// From now on the group should run. On the disk when it returns; wanting the same again changes nothing;
  /// wanting an id again with other contents throws `conflict`.
  virtual void want(const Group& group) = 0;

  /// From now on none of it should run: stop signal, grace, SIGKILL. On the disk when it returns, which does
  /// not wait for the end (`gone` does). Unknown ids are not an error.
  virtual void unwant(const GroupId& group) = 0;

  /// From now on the group has so many instances; those that stay are not touched. New ones start; the slots
  /// above the number are stopped, and show as `stopping` until they have gone. On the disk when it returns.
  /// Throws `missing` for a group that is not wanted.
  virtual void resize(const GroupId& group, int replicas) = 0;

  /// Sends the signal to the instance's program; what comes of it is its own affair, and the restart
  /// policy's. Throws `missing` unless it runs.
  virtual void signal(const InstanceId& instance, int number) = 0;

  /// Probes by `interval` while true (a release looks), by `later_interval` else. New groups begin with true.
  virtual void watch_closely(const GroupId& group, bool closely) = 0;

  /// Probes the group's ready instances at once: until one has passed, the snapshot shows it as not
  /// `confirmed`, from the return of this call on. Unknown ids are no error.
  virtual void look_again(const GroupId& group) = 0;

  /// An instance that was `leaving` has nothing left to finish, and is stopped now. Unknown ids are no error.
  virtual void let_go(const InstanceId& instance) = 0;

  virtual std::vector<Group> wanted() const = 0;
  virtual std::shared_ptr<const Snapshot> snapshot() const = 0;

  /// The first snapshot whose version exceeds `seen`, or the current one at the deadline or at the stop.
  virtual std::shared_ptr<const Snapshot> wait(std::uint64_t seen, Deadline deadline,
                                               const std::stop_token& stop = {}) const = 0;

  /// Waits until no instance of these groups is left; false at the deadline.
  virtual bool gone(const std::vector<GroupId>& groups, Deadline deadline) const = 0;
};

/// What befell an instance.
struct InstanceEvent {
  std::int64_t sequence = 0;  ///< above that of every earlier one, of whatever app
  WallTime at;
  GroupId group;
  std::string service;
  int slot = 0;
  InstanceId instance;
  std::string action;  ///< "start", "ready", "unready", "exit" (or given up), "stop" (no longer wanted)
  std::string reason;  ///< for people; empty where there is nothing to explain
};

/// Those of the app after `after`, the oldest first. Of all apps together the newest ten thousand are kept,
/// those of apps that are gone too. An event is on the disk with the state that it tells of.
std::vector<InstanceEvent> instance_events(store::Transaction& transaction, const std::string& app,
                                           std::int64_t after);

/// Reads the wanted groups and adopts their instances; what runs without a row is stopped. All three outlive
/// it.
std::unique_ptr<Supervisor> make_supervisor(engine::Engine& engine, store::Database& database,
                                            const Clock& clock);

}  // namespace holdall::supervise
