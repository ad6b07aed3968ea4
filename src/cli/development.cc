#include "cli/development.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <sstream>
#include <thread>

#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "cli/project.h"
#include "cli/settings.h"
#include "cli/target.h"
#include "net/socket.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// It answers after some milliseconds; under a sanitizer on a loaded machine after seconds.
constexpr auto kStartTimeout = 30s;
// All instances get their grace together or level after level; the server reports what takes longer.
constexpr auto kStopTimeout = 5min;
constexpr auto kAskAgain = 5ms;

constexpr std::uint16_t kFirstPort = 8080, kLastPort = 8179;

std::uint16_t free_http_port(const std::set<std::uint16_t>& published) {
  for (std::uint16_t port = kFirstPort; port <= kLastPort; ++port) {
    if (!published.contains(port) && net::port_is_free(port)) return port;
  }
  throw Error(Error::conflict, fmt::format("every port from {} to {} is taken", kFirstPort, kLastPort));
}

/// Why it did not start: what it said beside its log lines, or failing that their end.
std::string last_words(const fs::path& log) {
  std::string all = read_file_if_exists(log).value_or(""), said;
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('{')) said += (said.empty() ? "" : "\n") + line;
  }
  constexpr std::size_t kMost = 2000;
  if (!said.empty()) return said;
  return all.size() > kMost ? all.substr(all.size() - kMost) : all;
}

pid_t execute(const PrivatePlace& place, const PrivateOptions& options, const fs::path& log) {
  Fd output(
      checked(open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "write " + log.string()));
  holdall::Command command;
  command.program = "/proc/self/exe";
  // Its keys go with the run directory: what they open is given to it anew by each `up`.
  command.argv = {"holdall",
                  "serve",
                  "--private",
                  "--state",
                  place.state,
                  "--api",
                  place.api().path,
                  "--keys",
                  place.run / "keys",
                  "--http",
                  fmt::format("127.0.0.1:{}", free_http_port(options.published))};
  if (options.shared_uid) command.argv.emplace_back("--shared-uid");
  command.environment = environment();
  for (const std::string& name : options.withheld) command.environment.erase(name);
  command.fds = {{output.get(), 1}, {output.get(), 2}};
  return spawn(command);
}

void make_directory(const fs::path& directory) {
  // A server that has just ended removes the directory above, once that is empty: perhaps between the two
  // steps of this.
  constexpr int kTries = 10;
  std::error_code error;
  for (int i = 0; i < kTries; ++i) {
    fs::create_directories(directory, error);
    if (error != std::errc::no_such_file_or_directory) break;
  }
  if (error) throw_errno(Error::denied, "make " + directory.string(), error.value());
  fs::permissions(directory, fs::perms::owner_all);
}

}  // namespace

PrivatePlace private_place(const fs::path& project) {
  auto all = settings();
  // 12 digits keep the socket's path short; two projects of one user never share them.
  std::string hash = sha256(fs::weakly_canonical(project).string()).value.substr(7, 12);
  fs::path run = fs::path(socket_at(all.at("HOLDALL_API").value).path).parent_path();
  return {.state = fs::absolute(all.at("HOLDALL_STATE").value) / "up" / hash, .run = run / "up" / hash};
}

bool answers(const PrivatePlace& place) {
  try {
    return net::fetch(place.api(), {.target = "/__lbheartbeat__"}, Deadline::after(5s)).status == 200;
  } catch (const Error&) {
    return false;
  }
}

bool is_gone(const PrivatePlace& place) {
  Fd lock(open((place.state / "serve.lock").c_str(), O_RDONLY | O_CLOEXEC));
  return !lock || flock(lock.get(), LOCK_SH | LOCK_NB) == 0;
}

void start_private_server(const PrivatePlace& place, const PrivateOptions& options) {
  for (const fs::path& directory : {place.state, place.run}) make_directory(directory);
  fs::path log = place.state / "serve.log";
  pid_t server = execute(place, options, log);
  bool ended = false;
  for (Deadline deadline = Deadline::after(kStartTimeout); !answers(place);) {
    // It ends at once, too, when another `up` of this project was first: then that one's answers.
    ended = ended || waitpid(server, nullptr, WNOHANG) == server;
    if (ended && is_gone(place)) {
      throw Error(Error::failed, fmt::format("the private server ended at once:\n{}", last_words(log)));
    }
    if (deadline.passed())
      throw Error(Error::busy, fmt::format("the private server does not answer; see {}", log.string()));
    std::this_thread::sleep_for(kAskAgain);
  }
}

Stack find_stacks(const Globals& globals) {
  if (globals.host || globals.environment) {
    const Target target = target_of(globals);
    return {.app = target.app, .servers = servers_at(target.hosts)};
  }
  app::Loaded project = load_project(globals, false, Terminal(2, globals.ansi));
  Stack stack{.app = project.app.name, .servers = {}};
  PrivatePlace place = private_place(project.project_dir);
  if (answers(place)) stack.servers.emplace_back(place.api());
  return stack;
}

Stack find_stack(const Globals& globals) {
  if (globals.host || globals.environment) only_host(target_of(globals).hosts);
  Stack stack = find_stacks(globals);
  if (!stack.servers.empty()) stack.server = &stack.servers.front();
  return stack;
}

void stop_private_server(const PrivatePlace& place, const Terminal& out) {
  Deadline deadline = Deadline::after(kStopTimeout);
  if (!is_gone(place)) {
    Server server(place.api());
    try {
      server.events(
          "POST", [] { return std::string("/v1/session/stop"); }, false,
          [&](const Server::Event& event) {
            if (event.name == "stopped") {
              out.line(fmt::format("  {:<10}{}.{}", "stopped", event.data.at("service").string(),
                                   event.data.at("slot").integer()));
            }
            return true;
          });
    } catch (const Error&) {
      // It went while it told; whether it has gone is asked below.
    }
  }
  while (!is_gone(place) || fs::exists(place.run)) {
    if (deadline.passed()) {
      throw Error(Error::busy, fmt::format("the private server is not gone yet; see {}",
                                           (place.state / "serve.log").string()));
    }
    // What a killed server left is no server's to remove.
    std::error_code raced;  // by the server, which removes it too as it goes
    if (is_gone(place) && !fs::exists(place.run / "i")) fs::remove_all(place.run, raced);
    std::this_thread::sleep_for(kAskAgain);
  }
}

}  // namespace holdall::cli
