#include "daemon.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/magic.h>
#include <malloc.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>

#include "api/api.h"
#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/tasks.h"
#include "daemon_parent.h"
#include "daemon_tls.h"
#include "kit/kit.h"
#include "logs/logs.h"
#include "net/server.h"
#include "net/socket.h"
#include "release/release.h"
#include "router/router.h"
#include "schema/schema.h"
#include "serve/serve.h"
#include "store/store.h"
#include "supervise/supervise.h"
#include "wire/wire.h"

namespace holdall {
namespace {

// Where serve's socket is (docs/formats/processes.md).
constexpr int kServe = 3;

// A heap for each thread costs megabytes and saves nothing here.
constexpr int kHeaps = 2;

// The members of this group may use the API of a server (docs/formats/api.md).
constexpr const char* kGroup = "holdall";

// The user that people log in as by ssh; it is in no group that may use the API's own socket.
constexpr const char* kLogin = "holdall";
constexpr const char* kPeopleSocket = "people.sock";

// The route table's name for where routed requests come in.
constexpr const char* kHttpListener = "http";

// What a failed release shows of the instance that failed it.
constexpr std::size_t kLastLines = 10;

/// What control is told in its argv: STATE API HTTP KEYS ENGINE OPEN_FILES CORE_BYTES, the limits that serve
/// was given; then, each only if it is so, "private" for `up`'s own, "shared-uid", "uids" FIRST LAST,
/// "api-tls" ADDRESS CERTIFICATE KEY, and "going-back" when an upgrade has failed. Written by serve, below.
struct ControlSettings {
  std::filesystem::path state;
  net::Address api, http;
  std::filesystem::path keys;
  std::string engine;
  std::uint64_t open_files = 0, core_bytes = 0;
  bool is_private = false, shared_uid = false, going_back = false;
  std::optional<release::UidRange> uids;
  std::optional<net::Address> api_tls;
  std::filesystem::path api_tls_cert, api_tls_key;  ///< empty: of its own making

  std::filesystem::path run() const { return std::filesystem::path(api.path).parent_path(); }
};

std::string soft_limit(__rlimit_resource which) {
  rlimit limit{};
  getrlimit(which, &limit);
  return fmt::format("{}", limit.rlim_cur);
}

/// The limits of open files and core files that this process has: serve raises what it was given, and so must
/// tell a binary that is to take over.
std::string own_limits() { return soft_limit(RLIMIT_NOFILE) + ":" + soft_limit(RLIMIT_CORE); }

std::vector<std::string> control_argv(const cli::ServeSettings& settings, const std::string& limits) {
  auto colon = limits.find(':');
  if (colon == limits.npos) throw Error(Error::invalid, "limits are OPEN_FILES:CORE_BYTES");
  std::vector<std::string> argv{"holdall",
                                "control",
                                settings.state.string(),
                                settings.api.path,
                                net::text(settings.http),
                                settings.keys.string(),
                                settings.engine,
                                limits.substr(0, colon),
                                limits.substr(colon + 1)};
  if (settings.is_private) argv.emplace_back("private");
  if (settings.shared_uid) argv.emplace_back("shared-uid");
  if (settings.uids) {
    for (std::string word :
         {std::string("uids"), std::to_string(settings.uids->first), std::to_string(settings.uids->second)})
      argv.push_back(std::move(word));
  }
  if (settings.api_tls) {
    for (std::string word : {std::string("api-tls"), net::text(*settings.api_tls),
                             settings.api_tls_cert.string(), settings.api_tls_key.string()})
      argv.push_back(std::move(word));
  }
  return argv;
}

ControlSettings control_settings(const std::vector<std::string>& arguments) {
  if (arguments.size() < 7) throw Error(Error::invalid, "control is started by `holdall serve`, not by hand");
  ControlSettings settings{.state = arguments[0],
                           .api = {},
                           .http = net::parse_address(arguments[2]),
                           .keys = arguments[3],
                           .engine = arguments[4],
                           .open_files = std::stoull(arguments[5]),
                           .core_bytes = std::stoull(arguments[6])};
  settings.api.path = arguments[1];
  for (std::size_t i = 7; i < arguments.size(); ++i) {
    settings.is_private |= arguments[i] == "private";
    settings.shared_uid |= arguments[i] == "shared-uid";
    settings.going_back |= arguments[i] == "going-back";
    if (arguments[i] == "api-tls" && i + 3 < arguments.size()) {
      settings.api_tls = net::parse_address(arguments[i + 1]);
      settings.api_tls_cert = arguments[i + 2];
      settings.api_tls_key = arguments[i + 3];
      i += 3;
      continue;
    }
    if (arguments[i] != "uids" || i + 2 >= arguments.size()) continue;
    settings.uids = {.first = static_cast<std::uint32_t>(std::stoul(arguments[i + 1])),
                     .last = static_cast<std::uint32_t>(std::stoul(arguments[i + 2]))};
  }
  return settings;
}

/// SIGTERM and SIGINT, blocked for all threads that come after.
Fd stop_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int signal : {SIGTERM, SIGINT}) sigaddset(&wanted, signal);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return Fd(checked(signalfd(-1, &wanted, SFD_CLOEXEC), "wait for signals"));
}

/// The API's socket: for the owner and, where there is one, for the group of those who may deploy.
Fd listen_for_api(const net::Address& address) {
  Fd socket = net::listen(address);
  checked(chmod(address.path.c_str(), 0660), "restrict " + address.path);
  if (const group* members = getgrnam(kGroup); members && geteuid() == 0) {
    checked(chown(address.path.c_str(), static_cast<uid_t>(-1), members->gr_gid),
            "give " + address.path + " to its group");
  }
  return socket;
}

/// How people come in by ssh. Nothing where `setup` made no user for them, or where that user could write
/// what sshd reads.
api::SshDoor ssh_door(const ControlSettings& settings) {
  const passwd* login = geteuid() == 0 && !settings.is_private ? getpwnam(kLogin) : nullptr;
  if (!login) return {};
  std::filesystem::path directory = std::filesystem::path(login->pw_dir) / ".ssh";
  struct stat info{};
  bool ours = lstat(directory.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == 0 &&
              (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (!ours) return {};
  std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  // An upgrade has put another one there.
  constexpr std::string_view kDeleted = " (deleted)";
  if (program.ends_with(kDeleted)) program.resize(program.size() - kDeleted.size());
  return {.authorized_keys = directory / "authorized_keys",
          .socket = settings.run() / kPeopleSocket,
          .program = program};
}

/// Where `holdall stdio --as NAME` introduces whom sshd let in: for that one user.
Fd listen_for_people(const std::filesystem::path& path) {
  Fd socket = net::listen({.host = "", .port = 0, .path = path.string()});
  checked(chmod(path.c_str(), 0600), "restrict " + path.string());
  const passwd* login = getpwnam(kLogin);
  if (!login) throw Error(Error::broken, fmt::format("user {} went away", kLogin));
  checked(chown(path.c_str(), login->pw_uid, static_cast<gid_t>(-1)),
          "give " + path.string() + " to its user");
  return socket;
}

std::vector<std::string> last_lines(const std::filesystem::path& logs,
                                    const supervise::InstanceStatus& instance) {
  std::vector<std::string> lines;
  auto dir = logs::instance_dir(logs, instance.app, instance.service, instance.slot, instance.id);
  for (logs::Line& line : logs::tail(dir, kLastLines)) lines.push_back(std::move(line.text));
  return lines;
}

/// A reader of all that the instance says.
release::OutputReader output(const std::filesystem::path& logs, const supervise::InstanceStatus& instance) {
  constexpr std::size_t kMostLines = 1000;  // at once
  auto reader = std::make_shared<logs::Reader>(
      logs::instance_dir(logs, instance.app, instance.service, instance.slot, instance.id));
  return [reader](bool ended) {
    std::vector<std::string> lines;
    for (logs::Line& line : reader->next(kMostLines, ended)) lines.push_back(std::move(line.text));
    return lines;
  };
}

/// Returns when control should end: a signal, the parent's end, or `ended` (which polls readable then).
void wait_for_end(const Fd& signals, const serve::ParentLink& link, const Fd& ended) {
  pollfd watched[] = {{signals.get(), POLLIN, 0}, {link.descriptor(), POLLIN, 0}, {ended.get(), POLLIN, 0}};
  while (poll(watched, 3, -1) < 0 && errno == EINTR) {
  }
}

void warn_of_shared_uid(const std::filesystem::path& run) {
  struct statfs info{};
  bool in_memory = statfs(run.c_str(), &info) == 0 && info.f_type == TMPFS_MAGIC;
  log::warning(
      "control.shared_uid",
      fmt::format("all services run as user {}, and each can read the secrets of the others{}", geteuid(),
                  in_memory ? ""
                            : fmt::format("; files of secrets lie under {}, which is a disk and no tmpfs",
                                          run.string())));
}

/// Every long-lived object of control, from what depends on nothing to the API. Destroyed in reverse.
void serve_api(const ControlSettings& settings, serve::ParentLink& link, const Fd& signals) {
  const Clock& clock = system_clock();
  const std::string path = settings.state / "holdall.db";
  if (settings.going_back) {
    if (auto kept = store::restore_copy(path, schema())) {
      log::warning(
          "control.database",
          fmt::format("the database is again what it was before the upgrade; the other is {}", *kept));
    }
  }
  auto database = store::open_sqlite(path);
  database->migrate(schema());

  OutputKeeper keeper(link);
  auto secrets = release::make_secret_source(*database, settings.keys);
  auto engine = engine::make_process_engine({.state = settings.state,
                                             .run = settings.run(),
                                             .open_files = settings.open_files,
                                             .core_bytes = settings.core_bytes},
                                            keeper, *secrets, clock);
  auto supervisor = supervise::make_supervisor(*engine, *database, clock);

  // From here on connections wait for the router instead of being refused; and an address that is taken is
  // said at once.
  link.bind(kHttpListener, settings.http);
  RouterParent parent(link);
  auto router = router::make_router(parent);

  if (settings.shared_uid) warn_of_shared_uid(settings.run());

  KeyDirectory keys(settings.keys);
  release::ReleasesOptions release_options{.http = settings.http,
                                           .keys = settings.keys,
                                           .uids = settings.uids,
                                           .secrets = settings.uids || settings.shared_uid};
  release_options.last_lines = [logs = settings.state / "logs"](const supervise::InstanceStatus& instance) {
    return last_lines(logs, instance);
  };
  release_options.output = [logs = settings.state / "logs"](const supervise::InstanceStatus& instance) {
    return output(logs, instance);
  };
  release::Releases releases(*database, *engine, *supervisor, *router, clock, release_options);

  const api::SshDoor ssh = ssh_door(settings);
  std::optional<TlsDoor> tls;
  if (settings.api_tls) {
    tls.emplace(*settings.api_tls, settings.api_tls_cert, settings.api_tls_key, settings.state);
  }
  api::Api api({releases, *engine, *supervisor, *database, clock, keys},
               {.state = settings.state,
                .http = settings.http,
                .engine = settings.engine,
                .owner = geteuid(),
                .group = kGroup,
                .ssh = ssh,
                .tls = tls ? tls->facts() : api::TlsFacts{},
                .run = settings.run(),
                .is_private = settings.is_private,
                .exit = [&link] { link.exit(); }});
  net::Server server(api.routes(), {.spool_dir = settings.state, .record = kit::log_request});
  server.add_listener({listen_for_api(settings.api)});
  if (!ssh.socket.empty()) {
    server.add_listener({.socket = listen_for_people(ssh.socket),
                         .name = std::string(api::kPeopleListener),
                         .introduces = true});
  }
  log::info(
      "control.ready",
      fmt::format("ready: API at {}, requests at {}", net::text(settings.api), net::text(settings.http)),
      Json::object({{"api", net::text(settings.api)}, {"http", net::text(settings.http)}}));
  link.ready();
  std::optional<TlsServer> tls_server;
  if (tls) tls_server.emplace(*tls, api.routes(), settings.state);

  Fd ended = make_event();
  TaskGroup watcher;
  watcher.start("end of control", [&](const std::stop_token&) {
    wait_for_end(signals, link, ended);
    api.stop();
    if (tls_server) tls_server->stop();
    server.stop();
  });
  server.run();
  unlink(settings.api.path.c_str());
  if (!ssh.socket.empty()) unlink(ssh.socket.c_str());
  poke(ended);
  watcher.stop();
}

/// This process's own, as it was started.
std::vector<std::string> own_argv() {
  std::string all = read_file("/proc/self/cmdline");
  std::vector<std::string> argv;
  for (std::size_t at = 0; at < all.size(); at = all.find('\0', at) + 1) argv.emplace_back(&all[at]);
  return argv;
}

serve::ParentOptions parent_options(const cli::ServeSettings& settings) {
  const std::string limits = settings.for_upgrade.value_or(own_limits());
  serve::ParentOptions options{.state = settings.state,
                               .run = settings.run,
                               .control_argv = control_argv(settings, limits),
                               .router_argv = {"holdall", "router"},
                               .version = wire::build().version};
  // `up`'s own ends with its sessions, and is upgraded by the next `up`.
  if (settings.is_private) return options;
  options.argv = own_argv();
  options.program = std::filesystem::read_symlink("/proc/self/exe");
  options.ask_argv = {"--for-upgrade", limits};
  return options;
}

/// What a private server leaves when nothing runs any more: nothing.
void remove_run_directory(const std::filesystem::path& run) {
  std::error_code none;
  bool instances = std::filesystem::exists(run / "i") && !std::filesystem::is_empty(run / "i", none);
  if (instances) return;
  std::filesystem::remove_all(run, none);
  std::filesystem::remove(run.parent_path(), none);  // unless another project's is there
}

}  // namespace

int serve_command(cli::Invocation& call) {
  log::set_logger("holdall.serve");
  if (auto code = serve::take_over()) return *code;
  std::optional<cli::ServeSettings> settings = cli::serve_settings(call);
  if (!settings) return 0;
  serve::ParentOptions options = parent_options(*settings);
  if (settings->for_upgrade) {
    std::fputs(serve::to_json(options).pretty().c_str(), stdout);
    return 0;
  }
  // Its client's terminal must not stop it: Ctrl-C is for the client, which says what it means.
  if (settings->is_private) setsid();
  int code = serve::parent_main(options);
  if (settings->is_private) remove_run_directory(settings->run);
  return code;
}

int control_command(cli::Invocation& call) {
  keep_memory_private();
  mallopt(M_ARENA_MAX, kHeaps);
  log::set_logger("holdall.control");
  prctl(PR_SET_NAME, "holdall-control");  // executed as /proc/self/exe, it would be listed as `exe`
  ControlSettings settings = control_settings(call.arguments);
  Fd signals = stop_signals();
  log::Backlog backlog;
  serve::ParentLink link{Fd(kServe)};
  serve_api(settings, link, signals);
  return 0;
}

int router_command(cli::Invocation&) {
  keep_memory_private();
  prctl(PR_SET_NAME, "holdall-router");
  return router::router_main(0);
}

}  // namespace holdall
