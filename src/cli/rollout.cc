#include "cli/rollout.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "cli/interrupts.h"
#include "cli/release_view.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

// What a shell reports for a program that Ctrl-C ended.
constexpr int kInterrupted = 130;

std::string app_path(const std::string& app) { return "/v1/apps/" + wire::percent_encode(app); }

/// One release being started and followed, by the command's thread and the one that hears Ctrl-C.
class Rollout {
 public:
  Rollout(Invocation& call, Server& server, const std::string& app, const RolloutOptions& options)
      : server_(server),
        app_(app),
        options_(options),
        out_(1, call.globals.ansi),
        errors_(2, call.globals.ansi) {}

  int run(const std::function<Json()>& begin) {
    Interrupts interrupts([this](int count) { interrupted(count); });
    Json answer = begin_when_free(begin);
    if (answer.boolean_or("unchanged", false)) return unchanged(answer);
    const Json& release = answer.at("release");
    int number = static_cast<int>(release.at("number").integer());
    version_ = fmt::format("v{}", number);
    begun_ = true;
    if (options_.detach) return detached(release);
    if (!options_.json) out_.line(out_.paint(Colour::bold, fmt::format("{} {}", app_, version_)));
    ReleaseView view(options_.json ? nullptr : &out_);
    auto target = [&] { return fmt::format("{}/releases/{}/events", app_path(app_), number); };
    server_.events("GET", target, true, [&](const Server::Event& event) {
      view.show(event.data);
      live_ = view.live();
      return !view.finished();
    });
    if (options_.json) print(server_.get(fmt::format("{}/releases/{}", app_path(app_), number)));
    return view.failed() ? exit_code(Error::failed) : 0;
  }

 private:
  /// With --wait, a release that stands in the way is followed to its end first.
  Json begin_when_free(const std::function<Json()>& begin) {
    for (;;) {
      try {
        return begin();
      } catch (const Error& error) {
        if (error.kind() != Error::conflict || !options_.wait) throw;
        std::optional<Json> status = server_.find(app_path(app_) + "/status");
        const Json* moving = status ? status->find("moving") : nullptr;
        if (!moving || moving->is_null()) throw;  // the conflict is another one
        errors_.line(fmt::format("waiting: {}", error.what()));
        ReleaseView silent(nullptr);
        follow_release(server_, app_, static_cast<int>(moving->at("number").integer()), silent);
      }
    }
  }

  void interrupted(int count) {
    if (!begun_ || count > 1) leave(kInterrupted);
    if (live_) {
      errors_.line(fmt::format("{} goes on without you: holdall releases show {}", version_, version_));
      leave(0);
    }
    errors_.line("cancelling; the old release serves on");
    try {
      server_.post(app_path(app_) + "/cancel", Json::object());
    } catch (const Error& error) {
      errors_.line(error.what());  // the switch came first: what follows shows it
    }
  }

  int unchanged(const Json& answer) {
    if (options_.json) {
      print(answer);
    } else {
      out_.line(fmt::format("{}: nothing changed", app_));
    }
    return 0;
  }

  int detached(const Json& release) {
    if (options_.json) {
      print(Json::object({{"release", release}}));
    } else {
      out_.line(fmt::format("{} {} is on its way: holdall releases show {}", app_, version_, version_));
    }
    return 0;
  }

  static void print(const Json& json) { std::fputs(json.pretty().c_str(), stdout); }

  Server& server_;
  const std::string app_;
  const RolloutOptions options_;
  const Terminal out_, errors_;
  std::string version_;
  std::atomic<bool> begun_ = false, live_ = false;
};

}  // namespace

int roll_out(Invocation& call, Server& server, const std::string& app, const RolloutOptions& options,
             const std::function<Json()>& begin) {
  return Rollout(call, server, app, options).run(begin);
}

}  // namespace holdall::cli
