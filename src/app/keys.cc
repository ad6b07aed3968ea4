#include "app/keys.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/edit_distance.h"

namespace holdall::app {
namespace {

using enum Form;
using enum Support;

constexpr std::string_view kContainer =
    "the process engine runs a plain process, with no container around it";
constexpr std::string_view kNetwork = "instances share the machine's network, where the router connects them";
constexpr std::string_view kStorage = "nothing but the artefact travels with a release yet";
constexpr std::string_view kLimits = "this limit is not set";
constexpr std::string_view kGroups =
    "where the machine has control groups that Holdall may write to; plan and status say where it has none";
constexpr std::string_view kUlimitNote =
    "as far as the server may raise it; plan and status say where it may not";
constexpr std::string_view kStore =
    "a secret's value is sealed beside the file, and comes from no store outside";
constexpr std::string_view kNoImage = "the process engine builds no image";
constexpr std::string_view kLater = "it is not read yet";

constexpr std::string_view kRemove = "remove the key";
constexpr std::string_view kReach =
    "remove the key; another service is reached at <SERVICE>_HOST and <SERVICE>_PORT";
constexpr std::string_view kCarry =
    "put the files under build.context, or name a directory of the server in environment";
constexpr std::string_view kSeal = "write 'environment: NAME' and seal it: holdall secrets seal NAME";
constexpr std::string_view kOwner = "each service gets a user of its own, who owns its files";
constexpr std::string_view kWriteOut = "write it out in this file";

constexpr Key kKeys[] = {
    {"version", text, different, "obsolete: it has no effect", ""},
    {"name", text, honoured, "", ""},
    {"services", named, honoured, "", ""},
    {"include", anything, refused, kLater, "give each file with -f"},
    {"networks", anything, refused, kNetwork, kReach},
    {"volumes", anything, refused, kStorage, kCarry},
    {"secrets", named, honoured, "", ""},
    {"secrets.*.name", text, different, "without effect: there is no store outside that has names", ""},
    {"secrets.*.environment", text, different,
     "in a release the value that is sealed under this name; in development the variable", ""},
    {"secrets.*.file", text, different, "in development alone", ""},
    {"secrets.*.external", anything, refused, kStore, kSeal},
    {"secrets.*.labels", anything, refused, kStore, kRemove},
    {"secrets.*.driver", anything, refused, kStore, kSeal},
    {"secrets.*.driver_opts", anything, refused, kStore, kSeal},
    {"secrets.*.template_driver", anything, refused, kStore, kSeal},
    {"configs", anything, refused, kStorage, kCarry},
    {"models", anything, refused, kLater, kRemove},

    {"services.*.profiles", texts, honoured, "", ""},
    {"services.*.annotations", anything, refused, kContainer, kRemove},
    {"services.*.attach", anything, refused, kLater, kRemove},
    {"services.*.blkio_config", anything, refused, kLimits, kRemove},
    {"services.*.build", build, different,
     "no image is built: the files of the context that .dockerignore leaves, without .git (unless it says "
     "`!.git`), after x-holdall.build, are the artefact",
     ""},
    {"services.*.build.context", text, honoured, "", ""},
    {"services.*.build.dockerfile", text, different, "without effect: no image is built", ""},
    {"services.*.build.dockerfile_inline", anything, refused, kNoImage, "use x-holdall.build"},
    {"services.*.build.entitlements", anything, refused, kNoImage, kRemove},
    {"services.*.build.args", pairs, different, "without effect: no image is built", ""},
    {"services.*.build.provenance", anything, refused, kNoImage, kRemove},
    {"services.*.build.sbom", anything, refused, kNoImage, kRemove},
    {"services.*.build.ssh", anything, refused, kNoImage, kRemove},
    {"services.*.build.labels", anything, refused, kNoImage, kRemove},
    {"services.*.build.cache_from", anything, refused, kNoImage, kRemove},
    {"services.*.build.cache_to", anything, refused, kNoImage, kRemove},
    {"services.*.build.no_cache", anything, refused, kNoImage, kRemove},
    {"services.*.build.additional_contexts", anything, refused, kNoImage, kCarry},
    {"services.*.build.pull", anything, refused, kNoImage, kRemove},
    {"services.*.build.extra_hosts", anything, refused, kNoImage, kRemove},
    {"services.*.build.isolation", anything, refused, kNoImage, kRemove},
    {"services.*.build.network", anything, refused, kNoImage, kRemove},
    {"services.*.build.target", text, different, "without effect: no image is built", ""},
    {"services.*.build.secrets", anything, refused, kNoImage, kRemove},
    {"services.*.build.shm_size", anything, refused, kNoImage, kRemove},
    {"services.*.build.tags", anything, refused, kNoImage, kRemove},
    {"services.*.build.ulimits", anything, refused, kNoImage, kRemove},
    {"services.*.build.platforms", anything, refused, kNoImage, kRemove},
    {"services.*.build.privileged", anything, refused, kNoImage, kRemove},
    {"services.*.develop", anything, refused, kLater, kRemove},
    {"services.*.cap_add", anything, refused, kContainer, kRemove},
    {"services.*.cap_drop", anything, refused, kContainer, kRemove},
    {"services.*.cgroup_parent", anything, refused, kContainer, kRemove},
    {"services.*.cgroup", anything, refused, kContainer, kRemove},
    {"services.*.cpu_count", anything, refused, kLimits, kRemove},
    {"services.*.cpu_percent", anything, refused, kLimits, kRemove},
    {"services.*.cpu_period", anything, refused, kLimits, kRemove},
    {"services.*.cpu_quota", anything, refused, kLimits, kRemove},
    {"services.*.cpu_rt_period", anything, refused, kLimits, kRemove},
    {"services.*.cpu_rt_runtime", anything, refused, kLimits, kRemove},
    {"services.*.cpus", number, different, kGroups, ""},
    {"services.*.cpuset", anything, refused, kLimits, kRemove},
    {"services.*.cpu_shares", anything, refused, kLimits, kRemove},
    {"services.*.command", command, honoured, "", ""},
    {"services.*.configs", anything, refused, kStorage, kCarry},
    {"services.*.container_name", anything, refused,
     "instances are named SERVICE.N, so that there can be several", kRemove},
    {"services.*.credential_spec", anything, refused, kContainer, kRemove},
    {"services.*.depends_on", depends_on, honoured, "", ""},
    {"services.*.depends_on.*.condition", text, honoured, "", ""},
    {"services.*.depends_on.*.restart", boolean, different,
     "without effect: a service is restarted for its own reasons alone", ""},
    {"services.*.depends_on.*.required", boolean, honoured, "", ""},
    {"services.*.deploy", mapping, honoured, "", ""},
    {"services.*.deploy.mode", text, refused, "every service has a number of replicas",
     "use deploy.replicas"},
    {"services.*.deploy.replicas", integer, honoured, "", ""},
    {"services.*.deploy.labels", anything, refused, kContainer, kRemove},
    {"services.*.deploy.update_config", mapping, honoured, "", ""},
    {"services.*.deploy.update_config.parallelism", integer, different,
     "0, or at least the number of replicas: all are replaced in one switch", ""},
    {"services.*.deploy.update_config.delay", duration, different, "0 only: all are replaced in one switch",
     ""},
    {"services.*.deploy.update_config.failure_action", text, different, "rollback only", ""},
    {"services.*.deploy.update_config.monitor", duration, honoured, "", ""},
    {"services.*.deploy.update_config.max_failure_ratio", number, different, "0 only: one failure reverts",
     ""},
    {"services.*.deploy.update_config.order", text, different, "start-first only", ""},
    {"services.*.deploy.rollback_config", anything, refused,
     "going back is one switch, with no steps to configure", kRemove},
    {"services.*.deploy.resources", mapping, honoured, "", ""},
    {"services.*.deploy.resources.limits", mapping, honoured, "", ""},
    {"services.*.deploy.resources.limits.cpus", number, different, kGroups, ""},
    {"services.*.deploy.resources.limits.memory", bytes, different, kGroups, ""},
    {"services.*.deploy.resources.limits.pids", integer, different, kGroups, ""},
    {"services.*.deploy.resources.reservations", mapping, honoured, "", ""},
    {"services.*.deploy.resources.reservations.cpus", number, different,
     "without effect: there is one server, and nothing to choose", ""},
    {"services.*.deploy.resources.reservations.memory", bytes, different, kGroups, ""},
    {"services.*.deploy.resources.reservations.generic_resources", anything, refused, kContainer, kRemove},
    {"services.*.deploy.resources.reservations.devices", anything, refused, kContainer, kRemove},
    {"services.*.deploy.restart_policy", mapping, honoured, "", ""},
    {"services.*.deploy.restart_policy.condition", text, honoured, "", ""},
    {"services.*.deploy.restart_policy.delay", duration, honoured, "", ""},
    {"services.*.deploy.restart_policy.max_attempts", integer, honoured, "", ""},
    {"services.*.deploy.restart_policy.window", duration, honoured, "", ""},
    {"services.*.deploy.placement", anything, refused, "there is one server", kRemove},
    {"services.*.deploy.endpoint_mode", anything, refused, kNetwork, kRemove},
    {"services.*.device_cgroup_rules", anything, refused, kContainer, kRemove},
    {"services.*.devices", anything, refused, kContainer, kRemove},
    {"services.*.dns", anything, refused, kNetwork, kRemove},
    {"services.*.dns_opt", anything, refused, kNetwork, kRemove},
    {"services.*.dns_search", anything, refused, kNetwork, kRemove},
    {"services.*.domainname", anything, refused, kNetwork, kRemove},
    {"services.*.entrypoint", command, honoured, "", ""},
    {"services.*.provider", anything, refused, kLater, kRemove},
    {"services.*.environment", pairs, honoured, "", ""},
    {"services.*.env_file", env_files, honoured, "", ""},
    {"services.*.env_file.*.path", text, honoured, "", ""},
    {"services.*.env_file.*.required", boolean, honoured, "", ""},
    {"services.*.env_file.*.format", text, honoured, "", ""},
    {"services.*.expose", expose, honoured, "", ""},
    {"services.*.extends", anything, refused, kLater, kWriteOut},
    {"services.*.external_links", anything, refused, kNetwork, kReach},
    {"services.*.extra_hosts", anything, refused, kNetwork, kRemove},
    {"services.*.group_add", anything, refused, "each service gets a user of its own", kRemove},
    {"services.*.gpus", anything, refused, kContainer, kRemove},
    {"services.*.hostname", anything, refused, kNetwork, kReach},
    {"services.*.healthcheck", mapping, honoured, "", ""},
    {"services.*.healthcheck.test", test, honoured, "", ""},
    {"services.*.healthcheck.timeout", duration, honoured, "", ""},
    {"services.*.healthcheck.interval", duration, honoured, "", ""},
    {"services.*.healthcheck.retries", integer, honoured, "", ""},
    {"services.*.healthcheck.start_period", duration, honoured, "", ""},
    {"services.*.healthcheck.start_interval", duration, different, "interval is used from the start", ""},
    {"services.*.healthcheck.disable", boolean, honoured, "", ""},
    {"services.*.image", text, different,
     "a name only: command or entrypoint is run from the tree of build.context, or from an empty directory",
     ""},
    {"services.*.init", anything, refused, kContainer, kRemove},
    {"services.*.ipc", anything, refused, kContainer, kRemove},
    {"services.*.isolation", anything, refused, kContainer, kRemove},
    {"services.*.labels", anything, refused, kContainer,
     "remove the key; routes are written as x-holdall.route"},
    {"services.*.label_file", anything, refused, kContainer, kRemove},
    {"services.*.links", anything, refused, kNetwork,
     "use depends_on; another service is reached at <SERVICE>_HOST"},
    {"services.*.logging", anything, refused, "output is always kept: holdall logs", kRemove},
    {"services.*.mem_limit", bytes, different, kGroups, ""},
    {"services.*.mem_reservation", bytes, different, kGroups, ""},
    {"services.*.memswap_limit", bytes, different, kGroups, ""},
    {"services.*.mem_swappiness", anything, refused, kLimits, kRemove},
    {"services.*.mac_address", anything, refused, kNetwork, kRemove},
    {"services.*.models", anything, refused, kLater, kRemove},
    {"services.*.network_mode", anything, refused, kNetwork, kRemove},
    {"services.*.networks", anything, refused, kNetwork, kReach},
    {"services.*.oom_kill_disable", anything, refused, kLimits, kRemove},
    {"services.*.oom_score_adj", integer, different, "set by a server that runs as root alone", ""},
    {"services.*.pid", anything, refused, kContainer, kRemove},
    {"services.*.pids_limit", integer, different, kGroups, ""},
    {"services.*.platform", anything, refused, kNoImage, kRemove},
    {"services.*.ports", ports, different,
     "the router listens on the published port and forwards to the ready instances, each of which has its "
     "own $PORT",
     ""},
    {"services.*.ports.*.name", text, honoured, "", ""},
    {"services.*.ports.*.mode", text, different, "host and ingress are the same: the router listens", ""},
    {"services.*.ports.*.host_ip", text, honoured, "", ""},
    {"services.*.ports.*.target", integer, different, "instances listen on $PORT", ""},
    {"services.*.ports.*.published", published, different, "one port: of a range none is chosen", ""},
    {"services.*.ports.*.protocol", text, different, "tcp only", ""},
    {"services.*.ports.*.app_protocol", text, honoured, "", ""},
    {"services.*.privileged", anything, refused, kContainer, kRemove},
    {"services.*.pull_policy", anything, refused, kNoImage, kRemove},
    {"services.*.pull_refresh_after", anything, refused, kNoImage, kRemove},
    {"services.*.read_only", anything, refused, kContainer,
     "remove the key; the artefact is read-only in any case"},
    {"services.*.restart", text, honoured, "", ""},
    {"services.*.runtime", anything, refused, kContainer, kRemove},
    {"services.*.scale", integer, honoured, "", ""},
    {"services.*.secrets", secret_files, honoured, "", ""},
    {"services.*.secrets.*.source", text, honoured, "", ""},
    {"services.*.secrets.*.target", text, different, "a file in /run/secrets", ""},
    {"services.*.secrets.*.uid", anything, refused, kOwner, kRemove},
    {"services.*.secrets.*.gid", anything, refused, kOwner, kRemove},
    {"services.*.secrets.*.mode", mode, different, "0400 when it is not written", ""},
    {"services.*.security_opt", anything, refused, kContainer, kRemove},
    {"services.*.shm_size", anything, refused, kContainer, kRemove},
    {"services.*.stdin_open", anything, refused, kContainer, kRemove},
    {"services.*.stop_grace_period", duration, honoured, "", ""},
    {"services.*.stop_signal", text, honoured, "", ""},
    {"services.*.storage_opt", anything, refused, kContainer, kRemove},
    {"services.*.sysctls", anything, refused, kContainer, kRemove},
    {"services.*.tmpfs", anything, refused, kStorage, kRemove},
    {"services.*.tty", anything, refused, kContainer, kRemove},
    {"services.*.ulimits", ulimits, different, kUlimitNote, ""},
    {"services.*.use_api_socket", anything, refused, kContainer, kRemove},
    {"services.*.user", anything, refused, "each service gets a user of its own", kRemove},
    {"services.*.userns_mode", anything, refused, kContainer, kRemove},
    {"services.*.uts", anything, refused, kContainer, kRemove},
    {"services.*.volumes", anything, refused, kStorage, kCarry},
    {"services.*.volumes_from", anything, refused, kStorage, kCarry},
    {"services.*.working_dir", text, honoured, "", ""},
    {"services.*.post_start", anything, refused, kLater, kRemove},
    {"services.*.pre_start", anything, different,
     "once per release, in the new artefact, while the old release serves; a hook has command, working_dir "
     "and environment, and per_replica false",
     ""},
    {"services.*.pre_stop", anything, refused, kLater, kRemove},

    {"x-holdall", mapping, honoured, "", ""},
    {"x-holdall.environments", named, honoured, "", ""},
    {"x-holdall.environments.*.host", anything, honoured, "", ""},
    {"x-holdall.environments.*.app", anything, honoured, "", ""},
    {"x-holdall.environments.*.domain", anything, honoured, "", ""},
    {"x-holdall.environments.*.files", anything, honoured, "", ""},
    {"x-holdall.environments.*.env_file", anything, honoured, "", ""},
    {"x-holdall.environments.*.profiles", anything, honoured, "", ""},
    {"x-holdall.environments.*.build", anything, different, "server only: the artefact is made there", ""},
    {"x-holdall.environments.*.schedules", anything, different, "there are no schedules yet", ""},
    {"x-holdall.environments.*.protected", anything, honoured, "", ""},

    {"services.*.x-holdall", mapping, honoured, "", ""},
    {"services.*.x-holdall.route", anything, honoured, "", ""},
    {"services.*.x-holdall.port", anything, different,
     "the number is not used: each instance gets a $PORT of its own", ""},
    {"services.*.x-holdall.ready", anything, different,
     "a port other than $PORT is one that all instances share the machine with", ""},
    {"services.*.x-holdall.start_timeout", anything, honoured, "", ""},
    {"services.*.x-holdall.drain_timeout", anything, honoured, "", ""},
    {"services.*.x-holdall.hold_timeout", anything, honoured, "", ""},
    {"services.*.x-holdall.engine", anything, different, "process only", ""},
    {"services.*.x-holdall.build", command, honoured, "", ""},
    {"services.*.x-holdall.limits", anything, different, "body and timeout only", ""},
    {"services.*.x-holdall.release_command", command, honoured, "", ""},
    {"services.*.x-holdall.release_timeout", anything, honoured, "", ""},
    {"services.*.x-holdall.tls", anything, refused, "certificates are not made yet", kRemove},
    {"services.*.x-holdall.static", anything, refused, kLater, "let the service answer with its own files"},
    {"services.*.x-holdall.sticky", anything, refused, kLater, kRemove},
    {"services.*.x-holdall.error_pages", anything, refused, kLater, kRemove},
    {"services.*.x-holdall.artefact", anything, refused, kLater, "use x-holdall.build"},
    {"services.*.x-holdall.jobs", anything, refused, kLater, kRemove},
};

}  // namespace

std::span<const Key> keys() { return kKeys; }

const Key* find_key(std::string_view path) {
  static const std::map<std::string_view, const Key*> index = [] {
    std::map<std::string_view, const Key*> rows;
    for (const Key& key : kKeys) rows.emplace(key.path, &key);
    return rows;
  }();
  auto found = index.find(path);
  return found == index.end() ? nullptr : found->second;
}

std::string_view nearest_key(std::string_view path, std::string_view name) {
  // A name of a megabyte is no misspelling.
  constexpr std::size_t longest = 40;
  std::string_view nearest;
  std::size_t best = std::min<std::size_t>(3, name.size() / 2 + 1);
  if (name.size() > longest) return nearest;
  for (const Key& key : kKeys) {
    std::size_t dot = key.path.rfind('.');
    std::string_view parent = dot == std::string_view::npos ? "" : key.path.substr(0, dot);
    std::string_view last = dot == std::string_view::npos ? key.path : key.path.substr(dot + 1);
    if (parent != path || last == "*") continue;
    std::size_t distance = edit_distance(name, last);
    if (distance < best) {
      best = distance;
      nearest = last;
    }
  }
  return nearest;
}

}  // namespace holdall::app
