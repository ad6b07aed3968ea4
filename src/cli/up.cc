#include <fmt/format.h>
#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <thread>

#include "base/error.h"
#include "base/guarded.h"
#include "cli/development.h"
#include "cli/interrupts.h"
#include "cli/log_printer.h"
#include "cli/options.h"
#include "cli/project.h"
#include "cli/release_view.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 30s;  // while control is started again
constexpr auto kAskAgain = 20ms;
constexpr int kInterrupted = 130;  // what a shell reports for Ctrl-C

std::string app_path(const std::string& app) { return "/v1/apps/" + wire::percent_encode(app); }

/// `up` as three threads: one holds the session, one releases the project and follows its output, and the
/// caller's waits for what comes first: Ctrl-C, a failure, or the end of the session.
class Up {
 public:
  Up(Invocation& call, std::vector<std::string> services, bool detach, bool shared_uid)
      : out_(1, call.globals.ansi),
        errors_(2, call.globals.ansi),
        services_(std::move(services)),
        detach_(detach),
        shared_uid_(shared_uid),
        project_(load_project(call.globals, false, errors_)),
        place_(private_place(project_.project_dir)),
        server_(place_.api()) {}

  /// Ends the process: threads that wait for the server need not be waited for.
  [[noreturn]] void run() {
    Interrupts interrupts([this](int count) {
      if (count > 1) leave(kInterrupted);
      end(kInterrupted);
    });
    if (!answers(place_)) {
      start_private_server(place_, {published_ports(), secret_names(), shared_uid_});
    }
    TaskGroup tasks;
    tasks.start("session", [this](const std::stop_token&) { report([&] { hold_session(); }); });
    tasks.start("release", [this](const std::stop_token&) { report([&] { release_and_follow(); }); });
    int code = wait_for_end();
    if (code == kDetached) leave(0);
    if (code == kLeft) leave(exit_code(Error::failed));
    if (!is_gone(place_)) {
      out_.line("stopping");
      report([&] { stop_private_server(place_, out_); });
    }
    leave(code);
  }

 private:
  // Ends that leave the server running: as asked, and with an older release that goes on.
  static constexpr int kDetached = -1, kLeft = -2;

  struct State {
    bool attached = false;
    std::optional<int> ended;
  };

  /// What one of the threads cannot go on from ends them all.
  void report(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      errors_.line(errors_.paint(Colour::red, "error: ") + error.what());
      end(exit_code(error.kind()));
    }
  }

  void end(int code) {
    auto state = state_.lock();
    if (!state->ended) state->ended = code;
    changed_.notify_all();
  }

  int wait_for_end() {
    auto state = state_.lock();
    changed_.wait(state.raw(), [&] { return state->ended.has_value(); });
    return *state->ended;
  }

  void wait_attached() {
    auto state = state_.lock();
    changed_.wait(state.raw(), [&] { return state->attached || state->ended; });
  }

  /// Holds the session open, over restarts of control; returns when the server has gone.
  void hold_session() {
    Deadline patience = Deadline::after(kPatience);
    while (!is_gone(place_) && !patience.passed()) {
      try {
        server_.events(
            "POST", [] { return std::string("/v1/session"); }, false,
            [&](const Server::Event&) {
              patience = Deadline::after(kPatience);
              state_.lock()->attached = true;
              changed_.notify_all();
              return true;
            });
      } catch (const Error& error) {
        // `down` in another terminal: what it stops is not ours to hold.
        if (error.kind() == Error::conflict) break;
        if (error.kind() != Error::missing && error.kind() != Error::failed) throw;
      }
      std::this_thread::sleep_for(kAskAgain);
    }
    errors_.line("the private server has ended");
    end(exit_code(Error::failed));
  }

  void release_and_follow() {
    wait_attached();
    bool served = release();
    if (detach_ && (served || serves_something())) {
      server_.post("/v1/session/detach", Json::object());
      return end(served ? kDetached : kLeft);
    }
    if (!served) return end(exit_code(Error::failed));
    out_.line(out_.paint(Colour::dim, "Ctrl-C stops everything"));
    // What was said before is in `holdall logs`.
    print_logs(server_,
               {.app = project_.app.name,
                .services = services_,
                .follow = true,
                .tail = {},
                .since = began_,
                .prefix = true},
               out_);
  }

  /// False if what runs now is not this project as it stands.
  bool release() {
    const std::string path = app_path(project_.app.name);
    start_stopped(path);
    narrow(project_, wanted_services(path));
    seal_for_development(project_, server_);
    wire::DeployRequest request = deploy_request(project_, send_artefacts(server_, project_.app, errors_));
    request.development = true;
    Json answer = server_.post(path + "/releases", wire::to_json(request), random_id());
    if (answer.boolean_or("unchanged", false)) {
      out_.line(fmt::format("{}: nothing changed", project_.app.name));
      show_urls(path);
      return true;
    }
    int number = static_cast<int>(answer.at("release").at("number").integer());
    out_.line(out_.paint(Colour::bold, fmt::format("{} v{}", project_.app.name, number)));
    ReleaseView view(&out_);
    follow_release(server_, project_.app.name, number, view);
    return !view.failed();
  }

  std::set<std::uint16_t> published_ports() const {
    std::set<std::uint16_t> ports;
    for (const auto& [name, service] : project_.app.services) {
      for (const app::Port& port : service.ports) ports.insert(port.published);
    }
    return ports;
  }

  std::set<std::string> secret_names() const {
    std::set<std::string> names;
    for (const auto& [name, value] : project_.secrets) names.insert(name);
    return names;
  }

  bool serves_something() {
    std::optional<Json> status = server_.find(app_path(project_.app.name) + "/status");
    const Json* serving = status ? status->find("serving") : nullptr;
    return serving && !serving->is_null();
  }

  /// As in Compose, what `stop` stopped starts again; of the services named, those that there are already.
  void start_stopped(const std::string& path) {
    if (!serves_something()) return;
    std::vector<Json> calls;
    if (services_.empty()) calls.push_back(Json::array());
    for (const std::string& service : services_) calls.push_back(Json::array({service}));
    for (Json& services : calls) {
      try {
        server_.post(path + "/start", Json::object({{"services", std::move(services)}}));
      } catch (const Error& error) {
        if (error.kind() != Error::missing) throw;  // the file has it, and what serves has not
      }
    }
  }

  /// As in Compose, services that are not named and run already go on.
  std::vector<std::string> wanted_services(const std::string& path) {
    if (services_.empty()) return {};
    std::vector<std::string> wanted = services_;
    std::optional<Json> status = server_.find(path + "/status");
    if (!status) return wanted;
    for (const Json& instance : status->at("instances").items()) {
      const std::string& service = instance.at("service").string();
      if (project_.app.services.contains(service)) wanted.push_back(service);
    }
    return wanted;
  }

  void show_urls(const std::string& path) {
    const Json status = server_.get(path + "/status");
    for (const Json& url : status.at("urls").items()) out_.line("  live      " + url.string());
  }

  const Terminal out_, errors_;
  const std::vector<std::string> services_;
  const bool detach_, shared_uid_;
  app::Loaded project_;
  const PrivatePlace place_;
  const WallTime began_ = system_clock().wall();
  Server server_;
  Guarded<State> state_;
  std::condition_variable changed_;
};

}  // namespace

int up(Invocation& call) {
  std::vector<std::string> services;
  bool detach = false, shared_uid = false;
  Options options(call, "  holdall up\n  holdall up -d web");
  options.arguments("SERVICE", services, "only these and what they depend on");
  options.flag("-d,--detach", detach, "return when it runs; `holdall down` stops it");
  options.flag("--shared-uid", shared_uid,
               "run every service as this user, and let them have secrets that the others could read");
  if (!options.parse()) return 0;
  Up(call, std::move(services), detach, shared_uid).run();
}

}  // namespace holdall::cli
