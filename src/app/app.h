#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/secret.h"

namespace holdall::app {

/// What the user wrote, checked: one Compose project, every default filled in, every path absolute, nothing
/// resolved that belongs to a server. The specification followed is docs/compose.md and the Compose
/// Specification.

enum class DependsOn : std::uint8_t { started, healthy, completed };

struct Dependency {
  DependsOn condition = DependsOn::started;
  bool required = true;
  bool operator==(const Dependency&) const = default;
};

struct Healthcheck {
  std::vector<std::string> command;  ///< argv; CMD-SHELL comes as {"/bin/sh", "-c", text}; empty: disabled
  std::chrono::nanoseconds interval{30'000'000'000}, timeout{30'000'000'000}, start_period{0},
      start_interval{5'000'000'000};
  int retries = 3;
  bool operator==(const Healthcheck&) const = default;
};

struct Port {
  std::string host_ip;          ///< empty: not written
  std::uint16_t published = 0;  ///< 0: not published
  std::uint16_t target = 0;
  std::string protocol = "tcp";
  std::string app_protocol;
  bool operator==(const Port&) const = default;
};

/// `restart`, or `deploy.restart_policy`, which wins.
struct Restart {
  enum Policy : std::uint8_t { unset, no, always, on_failure, unless_stopped };
  Policy policy = unset;
  int most = 0;                                   ///< of on-failure:N, or max_attempts; 0: no limit
  std::optional<std::chrono::nanoseconds> delay;  ///< between two tries; nothing: 0, 1, 2, 4 ... 60 s
  std::chrono::nanoseconds window{0};             ///< who lives this long did not fail to start; 0: 10 s
  bool operator==(const Restart&) const = default;
};

struct RouteRule {
  std::string host, path = "/";
  bool strip = false;
  bool operator==(const RouteRule&) const = default;
};

/// `x-holdall.ready`.
struct Ready {
  std::string path;                  ///< HTTP GET of it, or
  std::vector<std::string> command;  ///< an argv run in the instance, or
  std::string file;                  ///< a file that it touches at least every `later_interval`
  std::uint16_t port = 0;            ///< of `path` and of accepting alone; 0: its own
  int status_from = 200, status_to = 399;
  std::chrono::nanoseconds interval{250'000'000}, timeout{5'000'000'000};
  std::optional<std::chrono::nanoseconds>
      later_interval;  ///< after the watch; `interval` if written, else 10 s
  bool operator==(const Ready&) const = default;
};

inline constexpr std::uint64_t kUnlimited = UINT64_MAX;

/// One limit of setrlimit(2).
struct Ulimit {
  std::uint64_t soft = 0, hard = 0;
  bool operator==(const Ulimit&) const = default;
};

/// What an instance may use; 0: as much as there is.
struct Limits {
  std::uint64_t memory = 0;           ///< bytes
  std::optional<std::uint64_t> swap;  ///< bytes beside them; nothing: not written
  std::uint64_t reserved_memory = 0;  ///< bytes
  std::uint64_t cpu_thousandths = 0;  ///< of one processor
  std::uint64_t processes = 0;
  std::map<std::string, Ulimit> ulimits;
  int oom_score_adj = 0;
  bool operator==(const Limits&) const = default;
};

/// The file's `deploy.update_config`, as far as the process engine can honour it.
struct Update {
  std::chrono::nanoseconds monitor{10'000'000'000};
  bool operator==(const Update&) const = default;
};

/// A file that an instance finds in its own /run/secrets.
struct SecretFile {
  std::string name;    ///< under which its value is sealed
  std::string target;  ///< the file's name, without a directory
  int mode = 0400;
  bool operator==(const SecretFile&) const = default;
};

/// A program that a release runs to its end before it starts anything: `x-holdall.release_command`, or a hook
/// of `pre_start`.
struct ReleaseCommand {
  std::vector<std::string> command;                ///< argv, never empty
  std::map<std::string, std::string> environment;  ///< over the service's own
  std::string working_dir;                         ///< empty: the service's
  bool operator==(const ReleaseCommand&) const = default;
};

struct Service {
  std::string name;
  std::string image;               ///< as written; the process engine runs from the tree
  std::filesystem::path context;   ///< absolute; empty: no build
  std::vector<std::string> build;  ///< x-holdall.build
  std::vector<std::string> entrypoint, command;
  std::string working_dir;
  std::map<std::string, std::string> environment;  ///< env_file merged in; unset bare names left out
  /// Variables whose values hold secrets, as templates (base/secret_template.h); none is in `environment`
  /// too.
  std::map<std::string, std::string> secret_environment;
  std::vector<SecretFile> secrets;
  std::map<std::string, Dependency> depends_on;
  std::optional<Healthcheck> healthcheck;
  Restart restart;
  int stop_signal = 15;
  std::chrono::nanoseconds stop_grace{10'000'000'000};
  std::vector<Port> ports;
  std::vector<std::uint16_t> expose;
  std::vector<std::string> profiles;
  int replicas = 1;
  Update update;
  Limits limits;

  // x-holdall
  std::vector<RouteRule> routes;
  std::optional<std::uint16_t> port;
  std::optional<Ready> ready;
  std::vector<ReleaseCommand> release_commands;               ///< in this order, one after another
  std::chrono::nanoseconds release_timeout{600'000'000'000};  ///< of each of them
  std::chrono::nanoseconds start_timeout{60'000'000'000}, drain_timeout{30'000'000'000},
      hold_timeout{30'000'000'000};
  std::optional<std::uint64_t> largest_body;
  std::optional<std::chrono::nanoseconds> response_timeout;

  bool operator==(const Service&) const = default;

  /// Whether instances get a $PORT: a route, a published or exposed port, x-holdall.port or .ready with a
  /// path say so.
  bool has_port() const;

  /// Under which all that it may see is sealed.
  std::set<std::string> secret_names() const;
};

struct App {
  std::string name;
  std::map<std::string, Service> services;  ///< the active ones
  std::vector<std::string> service_order;   ///< as the file lists them

  bool operator==(const App&) const = default;
};

/// Service names, each after all it depends on; services with nothing between them stand in file order.
std::vector<std::string> start_order(const App& app);

/// A server as people write it: ssh://[user@]host[:port], or the socket of one on this machine.
struct Host {
  std::string user, name;  ///< of ssh; no user: ssh's own choice
  std::uint16_t port = 0;  ///< 0: ssh's own choice
  std::string path;        ///< of a unix socket; empty: ssh, or https
  bool tls = false;        ///< https, to the API's TLS listener
  bool operator==(const Host&) const = default;
};

/// Throws `invalid`, too, for what ssh would take for an option. `text` is its inverse.
Host parse_host(std::string_view text);
std::string text(const Host& host);

/// One deployment of an app: an entry of `x-holdall.environments`, every default filled in. A project without
/// environments has one with an empty name.
struct Environment {
  std::string name;                              ///< "production"
  std::string app;                               ///< what it is called on its servers
  std::vector<Host> hosts;                       ///< in the order of releases; empty: none is written
  std::string domain;                            ///< ${HOLDALL_DOMAIN}
  std::vector<std::filesystem::path> files;      ///< absolute, in the order of merging
  std::vector<std::filesystem::path> env_files;  ///< absolute
  std::vector<std::string> profiles;
  std::filesystem::path sealed_file;  ///< whether there is one or not
  bool builds_here = false;           ///< build: local
  bool schedules = true;
  bool is_protected = false;
  Where place;  ///< where it is written
  bool operator==(const Environment&) const = default;
};

/// Steps of the reading that `config` can leave out, by the flags of Docker Compose.
struct Steps {
  bool interpolate = true;        ///< no: templates stay as they are written
  bool resolve_env = true;        ///< no: env files stay named, and are not read
  bool resolve_paths = true;      ///< no: paths stay as they are written
  bool normalise = true;          ///< no: neither the default network nor names of resources are filled in
  bool check_consistency = true;  ///< no: what refers to nothing is no problem
  bool operator==(const Steps&) const = default;
};

struct LoadOptions {
  std::vector<std::filesystem::path> files;  ///< -f; empty: discovered from `working_dir` upwards
  std::filesystem::path working_dir;         ///< the caller's
  std::optional<std::filesystem::path> project_dir;
  std::vector<std::filesystem::path> env_files;    ///< --env-file
  std::optional<std::string> project_name;         ///< -p
  std::vector<std::string> profiles;               ///< --profile
  std::map<std::string, std::string> environment;  ///< the caller's shell; in a release, what the server has
  std::optional<std::string> environment_name;     ///< --on: the environment of a release
  bool release =
      false;  ///< of an environment: no override, no `.env`, no shell; every unset variable is a problem
  Steps steps;
  bool specification_alone = false;  ///< no name stands for a secret, as Docker Compose has it
};

/// How values of services' `environment` follow from variables, so that a server can fill them anew.
struct VariableUse {
  /// "services.web.environment.MOOD" -> "${MOOD:-grey}", as written; those without a variable are left out.
  std::map<std::string, std::string> templates;
  /// Of the variables in them: what the project has, whatever the server has set.
  std::map<std::string, std::string> values;
  std::map<std::string, std::string> origins;    ///< where these come from: ".env.production"
  std::map<std::string, std::string> elsewhere;  ///< variable -> the first place that is no such value
  std::map<std::string, std::string> loaded;     ///< of all that are used, those of LoadOptions::environment

  bool operator==(const VariableUse&) const = default;
};
Json to_json(const VariableUse& use);
VariableUse parse_variable_use(const Json& json);

/// The names that a template refers to.
std::set<std::string> variables_in(const std::string& text);

/// How a variable is written where a model names it: the first of its defaults and alternatives.
struct WrittenVariable {
  std::string fallback, alternate;  ///< of `${X:-w}` and `${X:+w}`
  bool required = false;            ///< `${X:?m}`
};

/// Of a model that was not interpolated (`Steps::interpolate`).
std::map<std::string, WrittenVariable> variables_written(const Json& model);

/// The model with every value that has a template filled anew: from `set`, else from what the project has;
/// names of `secrets` stay. Throws `invalid` where a variable has neither value nor default.
Json fill_anew(const Json& model, const VariableUse& use, const std::map<std::string, std::string>& set,
               const std::set<std::string>& secrets);

struct Loaded {
  App app;  ///< of `load`
  /// Normalised, in the shape of `docker compose config --format json`, x-* kept and services in the order of
  /// the file; a template as a compose file is one: `$$` is a dollar sign, and `${NAME}`, in values of
  /// environment alone, a secret.
  Json model;
  std::string sealed;  ///< the text of the project's sealed file; empty: there is none
  /// Of `load`, in development: what the services name, by the name under which it is to be sealed.
  std::map<std::string, Secret> secrets;
  std::map<std::string, Where> places;  ///< "services.web.environment.MOOD" -> where it was written
  VariableUse variables;
  std::map<std::string, std::string> interpolation;  ///< the variables that the files could use
  std::vector<Problem> warnings;
  std::filesystem::path project_dir;
  Environment environment;                                         ///< of a release
  std::vector<std::pair<std::filesystem::path, Where>> env_files;  ///< that services name, and where
};

/// Reads the files as the specification has them, whatever an engine makes of what they say. Throws `invalid`
/// with every problem of them, `missing` if there is no file.
Loaded read_project(const LoadOptions& options);

/// The same for the process engine: what it refuses is a problem too.
Loaded load(const LoadOptions& options);

/// What an engine makes of a key. There is no fourth way: nothing is dropped in silence.
enum class Support : std::uint8_t {
  honoured,
  different,  ///< honoured, with a difference that is stated
  refused,
};

/// A key that the files use.
struct KeyUse {
  std::string path;  ///< "services.web.build.context"
  Where where;
  Support support = Support::honoured;
  std::string note;    ///< the difference, or the reason of a refusal
  std::string remedy;  ///< of a refusal
};

/// A project held against the process engine.
struct Examined {
  Loaded project;                ///< as `read_project` gives it; its warnings are all there are
  std::vector<KeyUse> keys;      ///< in the order of the files; nothing of what is below a refused one
  std::vector<Problem> refused;  ///< keys and values, all that `load` would throw for them
  std::map<std::string, std::vector<Where>>
      unset;  ///< of a release: the variables that have neither value nor default
};

/// What `load` would make of the files. Throws `invalid` with every problem of files that the specification
/// does not accept, `missing` if there is no file.
Examined examine(const LoadOptions& options);

/// Where the nearest thing that somebody wrote stands: the path's own place, or that of what holds it.
Where place_of(std::string path, const std::map<std::string, Where>& places);

/// The environment that `load` would release, though its services may still have problems. Throws `invalid`
/// for files that are no YAML, a name that is none and an environment that is not clear, `missing` if there
/// is no file.
Environment identify(const LoadOptions& options);

/// The variables of an env file, as Compose reads it, but nothing in it is looked up: throws `invalid` where
/// a value refers to a variable, and where a name has no value. What stands in the file enters no message.
std::map<std::string, std::string> parse_env_file(std::string_view text, const std::string& filename);

/// "1m30s", "1.5h", "2d", "-1s": Go's units (ns us ms s m h) and d and w. Nothing without a unit, or beyond
/// 292 years.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// A model as YAML, and as JSON, in the reference's own layout: the JSON is without the keys that begin with
/// x-, those of the top level and `x-holdall` excepted. `raw`, of a model that was read without variables: as
/// it is, by name.
std::string to_yaml(const Json& model, bool raw = false);
std::string to_json_text(const Json& model, bool raw = false);

/// The typed value of a normalised model (`Loaded::model`): how a server reads what a client sends. Throws
/// `invalid`.
App parse_model(const Json& model);

/// One file of a build context that `.dockerignore` leaves.
struct ContextFile {
  std::string path;  ///< relative, '/' between
  bool operator==(const ContextFile&) const = default;
};

/// What `.dockerignore` (its own grammar: docs of `docker build`) leaves of a directory, sorted: files, links
/// and directories, but for sealed files at its top. Throws `missing` if there is no such directory.
std::vector<ContextFile> list_context(const std::filesystem::path& context);

}  // namespace holdall::app
