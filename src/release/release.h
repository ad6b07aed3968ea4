#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "engine/engine.h"
#include "router/router.h"
#include "store/store.h"
#include "supervise/supervise.h"

namespace holdall::release {

/// The steps of a release, in order. What is committed is the step that is being done: after a crash it is
/// done again.
enum class Step : std::uint8_t {
  planned,    ///< the row is there
  command,    ///< release commands run, one after another, while the old release serves
  start,      ///< new instances beside the old, in depends_on order, each up to its gate
  switching,  ///< the new table is published
  drain,      ///< the old finish what they have
  watch,      ///< the new serve, the old are kept
  stop_old,
  live,    ///< final: it serves (or did, until a later one)
  revert,  ///< the old table is published again, the new are drained and stopped
  failed,  ///< final: `reason` says why; what served before serves on
};
std::string_view name(Step step);
bool is_final(Step step);

/// A variable of an app that somebody set on the server.
struct Variable {
  std::string value, by;
  WallTime since;
  bool operator==(const Variable&) const = default;
};

/// What is asked for. Everything in it was checked by the client's reader; the server checks it again.
struct Request {
  Json model;                                 ///< normalised
  std::map<std::string, Digest> artefacts;    ///< service -> its tree, present in the engine
  std::map<std::string, std::string> places;  ///< "services.web.environment.MOOD" -> "compose.yaml:14"
  std::string sealed;       ///< the text of the project's sealed file; empty: nothing is sealed
  std::string commit;       ///< "4f2a91c" or "4f2a91c-dirty"; empty: no git
  std::string environment;  ///< "staging", for HOLDALL_ENV; empty: the unnamed one
  std::string by;           ///< who: "uid 0 (root)"
  bool development =
      false;  ///< `up`: no watch, routes at SERVICE.APP.localhost and APP.localhost, ports on loopback
  bool force = false;             ///< replace every service, changed or not
  bool release_commands = true;   ///< whether those of the services are run
  app::VariableUse variable_use;  ///< how values of the model follow from variables
  /// What `env set` has set; the model was filled with it. Of a deploy, those that hold when it is admitted.
  std::map<std::string, Variable> variables;
  std::map<std::string, int> scale;  ///< replicas that somebody set, in the place of the model's
  std::set<std::string> restart;     ///< services that are replaced, changed or not
  std::string key;                   ///< idempotency: the same key gives the same release
};

/// The app of the request's model, with the replicas of its `scale`.
app::App app_of(const Request& request);

struct Event {
  std::int64_t sequence = 0;
  WallTime at;
  std::string kind;  ///< "plan", "command", "output", "ran", "start", "ready", "switch", "live", "drain",
                     ///< "watch", "stop", "revert", "failed", "done"
  Json data;         ///< by kind: docs/formats/release-events.md
};

/// Of all releases of the app, what comes after event `after` of release `number`, each with the number of
/// its release; in their order. Throws `missing` for an unknown app.
std::vector<std::pair<int, Event>> app_events(store::Transaction& transaction, const std::string& app,
                                              int number, std::int64_t after);

struct Release {
  std::string app;
  int number = 0;  ///< v3
  Step step = Step::planned;
  std::string reason;  ///< of `failed`, or of a revert under way
  std::optional<int> rollback_of;
  std::string commit, by;
  WallTime created;
  std::optional<WallTime> finished;
  bool serving = false;  ///< it is the one whose services run
  Json
      report;  ///< phases with durations, requests served and failed by cause: docs/formats/release-report.md
};

/// One service's part of a plan.
struct Change {
  enum Kind : std::uint8_t {
    add,
    replace,
    keep,
    remove,
    scale,  ///< its instances stay, and others come or the last go
  };
  std::string service;
  Kind kind = keep;
  int replicas = 0;
  /// "environment.MOOD_COLOUR  grey -> green   compose.yaml:14", "artefact  1f3a77b2 -> 77b2a0c4", "secret
  /// DB_PASSWORD changed".
  std::vector<std::string> why;
};

struct Plan {
  std::string app;
  std::optional<int> from;                                  ///< the serving release's number
  int to = 0;                                               ///< the number the new one would get
  std::vector<Change> changes;                              ///< in the order of starting
  std::vector<std::string> routes, ports;                   ///< "hello.localhost", ":5432 -> db"
  std::map<std::string, std::vector<std::string>> secrets;  ///< name -> the services that see it, maybe none
  std::vector<std::string> scaled;      ///< "web x3, the file says 1", "web x2 by the file, no longer 3"
  std::vector<std::string> commands;    ///< "web: flask db upgrade": what is run before anything starts
  std::vector<std::string> not_undone;  ///< of a rollback: "v3 web: flask db upgrade"
  std::vector<std::string> warnings;    ///< "web: the memory limit is not enforced: ..."
  bool nothing_changed() const;
};
Json to_json(const Plan& plan);
Json to_json(const Release& release);
Json to_json(const Event& event);

/// A variable of a service as its instances see it.
struct Seen {
  std::string name;
  std::optional<std::string> value;  ///< nothing: it holds a secret
  std::string origin;                ///< "compose.yaml:14, MOOD set by uid 0 (root)"
};

/// Every variable of an app, set and seen.
struct AppVariables {
  std::map<std::string, Variable> set;
  std::map<std::string, std::vector<Seen>> services;
};
Json to_json(const AppVariables& variables);

/// What came of setting variables.
struct VariablesSet {
  std::optional<Release> release;   ///< nothing: nothing serves yet, and the first release will see them
  std::vector<std::string> unused;  ///< set, and no value refers to them
};

/// Why an app answers nobody from outside: its route table's word.
struct Maintenance {
  std::chrono::milliseconds hold{0};  ///< how long requests wait for its end before they are told of it
  std::string by;
  WallTime since;

  bool operator==(const Maintenance&) const = default;
};
Json to_json(const Maintenance& maintenance);

/// What runs of one app now, for `ps` and `status`.
struct AppStatus {
  std::string name;
  std::optional<Release> serving, moving;
  std::vector<supervise::InstanceStatus> instances;
  std::vector<std::string> urls;
  std::vector<std::string> problems;  ///< that no instance has: "address 0.0.0.0:5432 is in use"
  std::vector<std::string> scaled;    ///< "web x3, the file says 1"
  std::optional<Maintenance> maintenance;
  std::map<std::string, std::string> release_of_group;  ///< group id -> "v3"
};

/// An instance of a service that is none of its replicas: it gets no requests and is never started again.
struct OneOff {
  supervise::Group group;  ///< of the one instance; its workload is named `web.run`
  std::vector<std::string> entrypoint;
  bool has_port = false;  ///< whether the service's instances have a port; this one's group has none
};

/// Whether the group is one that `one_off` gave.
bool is_one_off(const GroupId& group);

/// Users that services are given, both included.
struct UidRange {
  std::uint32_t first = 0, last = 0;
};

/// Each call gives the lines that are new; with `ended`, also a last one without its newline.
using OutputReader = std::function<std::vector<std::string>(bool ended)>;

struct ReleasesOptions {
  net::Address http;             ///< where the router listens for routed HTTP
  std::filesystem::path keys;    ///< the private keys (base/keys.h)
  std::optional<UidRange> uids;  ///< each service gets one of its own; nothing: all run as the engine does
  bool secrets = true;           ///< whether services may have secrets: not where others run as the same user
  std::chrono::milliseconds publish_timeout{5'000};
  /// The last lines that an instance said, oldest first; they go into the `failed` event. May be empty.
  std::function<std::vector<std::string>(const supervise::InstanceStatus&)> last_lines;
  /// Reads what an instance says, from its beginning. May be empty.
  std::function<OutputReader(const supervise::InstanceStatus&)> output;
  /// Called at every failpoint beside `failpoint` itself. A test throws out of it, and so leaves everything
  /// where it is, as a crash would. May be empty.
  std::function<void(const char* point)> at_point;
};

/// How versions go live, and stay. A release is a durable transaction: plan, start beside the old, gate,
/// switch, drain, watch with the old alive, stop the old; a failure at any step leaves the old serving.
/// Killed at any instant, it goes on or goes back when the next Releases is made over the same database.
/// Thread-safe; a thread for each release in progress, and one that keeps the table true to what is ready.
class Releases {
 public:
  Releases(store::Database& database, engine::Engine& engine, supervise::Supervisor& supervisor,
           router::Router& router, const Clock& clock, ReleasesOptions options);
  ~Releases();  ///< leaves releases in progress where they are

  Plan plan(const Request& request) const;

  /// Commits the release and returns at once with its row; `follow` tells the rest. Nothing changed (and not
  /// forced): returns nothing. Throws `invalid` with all problems, `missing` for an artefact that is not
  /// there, `conflict` naming who, what and since when if one is in progress, or if a host or a port is
  /// another app's. Of the sealed values, all must open: one that does not is `invalid`, or `denied` where we
  /// have no key; nothing has changed then.
  std::optional<Release> deploy(const Request& request);

  /// A new release with the artefacts, model and configuration of `number`, or of the one that served before.
  /// Throws `missing`, `conflict` as above. The same `key` (empty: none) gives the same release.
  Release rollback(const std::string& app, std::optional<int> number, const std::string& by,
                   const std::string& key = "");

  /// A new release of what serves, with so many replicas of these services, and as many as the model says of
  /// those in `reset`. It holds in later releases, too, until the model's number for that service is another.
  /// Nothing when that changes nothing. Throws as `rollback` does, and `missing` for an unknown service.
  std::optional<Release> scale(const std::string& app, const std::map<std::string, int>& replicas,
                               const std::set<std::string>& reset, const std::string& by,
                               const std::string& key = "");

  /// A new release of what serves, with new instances of these services (none: of all), started before the
  /// old ones stop. Throws as `scale` does.
  Release restart(const std::string& app, const std::set<std::string>& services, const std::string& by,
                  const std::string& key = "");

  /// Stops the instances of these services (none: of all) in reverse order of starting, and waits until they
  /// have gone; they stay stopped until `start` or a release. Requests to them are held, and then get 503.
  /// What of a service still runs after `patience` is killed. Throws `busy` at the deadline (call again),
  /// `conflict` during a release.
  void stop(const std::string& app, const std::set<std::string>& services, Deadline deadline,
            std::optional<std::chrono::milliseconds> patience = std::nullopt);

  /// Starts again what `stop` stopped. Does not wait until it is ready.
  void start(const std::string& app, const std::set<std::string>& services);

  /// Sets and unsets variables that values of `environment` refer to: a new release of what serves, with
  /// those values filled anew, and its release commands. They hold in every later deploy. Before the first
  /// release they are kept for it. Throws `invalid`, with all problems, for a name that is none, is sealed,
  /// or is used in the file elsewhere than in such values, and for a value that would be left without one;
  /// `missing` for one to unset that is not set; else as `scale` does.
  VariablesSet set_variables(const std::string& app, const std::map<std::string, std::string>& set,
                             const std::set<std::string>& unset, const std::string& by,
                             const std::string& key = "");
  AppVariables variables(const std::string& app) const;  ///< throws `missing`

  /// From now on, requests from outside are held for so long, and then told that the app is in maintenance;
  /// nothing: they are served again. What runs is not touched, and releases go on as ever. On the disk, and
  /// published, when it returns. Throws `missing` for an unknown app.
  void set_maintenance(const std::string& app, const std::optional<Maintenance>& maintenance);

  /// Before the switch: reverts. After it: throws `conflict`. No release in progress: throws `missing`.
  void cancel(const std::string& app, const std::string& by);

  /// Events after `after`, at once if there are any, else when the next comes or at the deadline (then none).
  std::vector<Event> follow(const std::string& app, int number, std::int64_t after, Deadline deadline) const;

  std::vector<std::string> apps() const;
  std::vector<Release> list(
      const std::string& app) const;  ///< newest first; throws `missing` for an unknown app
  Release get(const std::string& app, int number) const;  ///< throws `missing`
  Json model(const std::string& app, int number) const;
  AppStatus status(const std::string& app) const;

  /// Throws `missing`, with the services there are, if what serves (before the first switch: what is being
  /// released) lacks one of these.
  void check_services(const std::string& app, const std::set<std::string>& services) const;

  /// What a program needs that is run with what the service of the serving release has. Throws `missing` for
  /// a service that it does not have. Whether an instance of it runs does not matter.
  OneOff one_off(const std::string& app, const std::string& service, const std::string& tag) const;

  /// Takes the app out of the table, stops its instances in reverse order of starting and forgets it. Waits
  /// for the end; throws `busy` at the deadline (call again), `conflict` during a release.
  void destroy(const std::string& app, Deadline deadline);

  /// Of an app in which nothing served before its release `number`, which serves: the same, but the app and
  /// what was set for it stay, and the release counts as failed, with who took it back as its reason. Of a
  /// release that failed: nothing is done. Throws `conflict` if another release serves or it replaced one.
  void withdraw(const std::string& app, int number, const std::string& by, Deadline deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Opens what instances see out of the sealed file of the release that started them. Thread-safe; the
/// database outlives it.
std::unique_ptr<engine::SecretSource> make_secret_source(store::Database& database,
                                                         std::filesystem::path keys);

}  // namespace holdall::release
