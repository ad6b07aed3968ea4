#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "base/tasks.h"
#include "cli/attached.h"
#include "cli/development.h"
#include "cli/interrupts.h"
#include "cli/project.h"
#include "cli/release_view.h"

namespace holdall::cli {
namespace {

struct RunOptions {
  ProgramOptions program;
  bool remove = false, no_dependencies = false;
  std::optional<std::string> entrypoint;
  std::vector<std::string> volumes, published;
};

std::string path_of(const std::string& app) { return "/v1/apps/" + wire::percent_encode(app); }

int run_on(Server& server, const std::string& app, const wire::ProgramRequest& request) {
  const std::string target = path_of(app) + "/run";
  if (!request.detach) return attend(server, target, request);
  Json answer = server.post(target, wire::to_json(request));
  Terminal(STDOUT_FILENO, "never").line(answer.at("instance").string());
  return 0;
}

/// The development stack as a one-off finds it: its server is started, as by `up`, if it does not run; what
/// the service depends on too, and stays.
class Here {
 public:
  Here(Invocation& call, const RunOptions& wanted)
      : errors_(STDERR_FILENO, call.globals.ansi),
        wanted_(wanted),
        project_(load_project(call.globals, false, errors_)),
        place_(private_place(project_.project_dir)),
        server_(place_.api()) {}

  /// Ends the process: a thread that waits for the server need not be waited for.
  [[noreturn]] void run(Invocation& call) {
    leave(program_code(call, [this] { return run_and_tidy(); }));
  }

 private:
  int run_and_tidy() {
    if (!project_.app.services.contains(service())) narrow(project_, {service()});  // says what there is
    if (!answers(place_)) {
      start_private_server(place_, options());
      hold_session();
    }
    if (!knows_service()) release();
    int code = run_on(server_, project_.app.name, wanted_.program.request);
    if (started_ && (wanted_.program.request.detach || runs_something())) {
      server_.post("/v1/session/detach", Json::object());
      errors_.line("what it depends on runs on: `holdall down` stops it");
    } else if (started_) {
      stop_private_server(place_, Terminal(STDERR_FILENO, "never"));
    }
    return code;
  }

  const std::string& service() const { return wanted_.program.request.service; }

  PrivateOptions options() const {
    PrivateOptions options;
    for (const auto& [name, service] : project_.app.services) {
      for (const app::Port& port : service.ports) options.published.insert(port.published);
    }
    for (const auto& [name, value] : project_.secrets) options.withheld.insert(name);
    return options;
  }

  /// A server that we started lasts as long as this process, unless something is to run on.
  void hold_session() {
    started_ = true;
    session_.start("session", [this](const std::stop_token&) {
      // Signals are for who carries the program's input.
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      try {
        Server(place_.api())
            .events(
                "POST", [] { return std::string("/v1/session"); }, false,
                [&](const Server::Event&) {
                  poke(held_);
                  return true;
                });
      } catch (const Error&) {
        // The server went: whoever runs something there hears it.
      }
      poke(held_);
    });
    pollfd held{held_.get(), POLLIN, 0};
    while (poll(&held, 1, -1) < 0) {
    }
  }

  /// Whether the release that serves here has the service.
  bool knows_service() {
    std::optional<Json> status = server_.find(path_of(project_.app.name) + "/status");
    const Json* serving = status ? status->find("serving") : nullptr;
    if (!serving || serving->is_null()) return false;
    const Json answer = server_.get(
        fmt::format("{}/releases/{}", path_of(project_.app.name), serving->at("number").integer()));
    for (const auto& [name, model] : answer.at("model").at("services").members()) {
      if (name == service()) return true;
    }
    return false;
  }

  std::vector<std::string> running() {
    std::vector<std::string> services;
    std::optional<Json> status = server_.find(path_of(project_.app.name) + "/status");
    if (!status) return services;
    for (const Json& instance : status->at("instances").items()) {
      const std::string& service = instance.at("service").string();
      if (project_.app.services.contains(service)) services.push_back(service);
    }
    return services;
  }
  bool runs_something() { return !running().empty(); }

  /// The service is made known without a replica of its own, with what it depends on and what runs already.
  void release() {
    std::vector<std::string> runs = running(), kept = runs;
    kept.push_back(service());
    narrow(project_, kept);
    for (auto& [name, one] : project_.app.services) {
      bool is_wanted = std::ranges::find(runs, name) != runs.end();
      if (is_wanted || (name != service() && !wanted_.no_dependencies)) continue;
      one.replicas = 0;
      project_.model["services"][name]["deploy"]["replicas"] = 0;
    }
    seal_for_development(project_, server_);
    wire::DeployRequest request = deploy_request(project_, send_artefacts(server_, project_.app, errors_));
    request.development = true;
    Json answer = server_.post(path_of(project_.app.name) + "/releases", wire::to_json(request), random_id());
    if (answer.boolean_or("unchanged", false)) return;
    int number = static_cast<int>(answer.at("release").at("number").integer());
    ReleaseView view(project_.app.services.size() > 1 ? &errors_ : nullptr);
    follow_release(server_, project_.app.name, number, view);
    if (view.failed()) throw Error(Error::failed, fmt::format("what {} depends on did not start", service()));
  }

  const Terminal errors_;
  const RunOptions& wanted_;
  app::Loaded project_;
  const PrivatePlace place_;
  Server server_;
  bool started_ = false;
  const Fd held_ = make_event();  ///< once the session is open
  TaskGroup session_;
};

int run_program(Invocation& call) {
  RunOptions wanted;
  Options options(call,
                  "  holdall run web sh\n"
                  "  holdall run --on production web flask shell\n"
                  "  holdall run -e DEPTH=3 worker ./reindex");
  options.program("SERVICE", wanted.program.request.service, "a copy of which service's instances", "COMMAND",
                  wanted.program.request.command,
                  "the program, and what it is given; else the service's own");
  wanted.program.define(options);
  options.flag("--rm", wanted.remove, "as it is without: nothing of it stays");
  options.flag("--no-deps", wanted.no_dependencies, "start nothing that the service depends on");
  options.value("--entrypoint", wanted.entrypoint, "PROGRAM", "in the place of the service's entrypoint");
  options.values("-v,--volume", wanted.volumes, "SOURCE:TARGET",
                 "refused: the process engine mounts nothing");
  options.values("--publish", wanted.published, "PORT:PORT", "refused: a copy gets no requests");
  if (!options.parse()) return 0;
  if (!wanted.volumes.empty())
    throw Error(
        Error::invalid,
        "--volume: the process engine mounts nothing; a program sees the machine's files as they are");
  if (!wanted.published.empty())
    throw Error(Error::invalid,
                "--publish: a copy gets no requests; `holdall up` publishes the service's ports");
  wanted.program.take();
  if (wanted.entrypoint)
    wanted.program.request.entrypoint =
        wanted.entrypoint->empty() ? std::vector<std::string>{} : std::vector{*wanted.entrypoint};
  if (!call.globals.host && !call.globals.environment) Here(call, wanted).run(call);
  Stack stack = find_stack(call.globals);
  return run_on(*stack.server, stack.app, wanted.program.request);
}

}  // namespace

int run(Invocation& call) {
  return program_code(call, [&] { return run_program(call); });
}

}  // namespace holdall::cli
