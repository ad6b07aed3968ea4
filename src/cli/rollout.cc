#include "cli/rollout.h"

#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <ranges>

#include "base/error.h"
#include "base/guarded.h"
#include "base/id.h"
#include "cli/interrupts.h"
#include "cli/release_view.h"
#include "cli/terminal.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

// What a shell reports for a program that Ctrl-C ended.
constexpr int kInterrupted = 130;
// Once cancels, twice leaves; but while hosts go back, the second may have been meant for what came before.
constexpr int kTimesToLeave = 3;

/// One release on all of an app's servers, started and followed by the command's thread; another one hears
/// Ctrl-C.
class Rollout {
 public:
  Rollout(Invocation& call, const std::string& app, std::vector<Server*> servers,
          const RolloutOptions& options)
      : servers_(std::move(servers)),
        app_(app),
        path_("/v1/apps/" + wire::percent_encode(app)),
        options_(options),
        out_(1, call.globals.ansi),
        errors_(2, call.globals.ansi) {}

  int run(const std::function<Json(Server&)>& begin) {
    Interrupts interrupts([this](int count) { interrupted(count); });
    if (several() && options_.detach) {
      throw Error(Error::invalid,
                  "--detach: a release goes to several hosts in turn, and this command is what waits between "
                  "them");
    }
    // Whoever does not answer is found before anything is changed.
    for (Server* server : servers_) done_.push_back({.server = server, .before = serving(*server)});
    for (Done& done : done_) {
      if (now_.lock()->cancelled) return revert(kInterrupted);
      if (int code = one(done, begin)) return several() ? revert(code) : code;
    }
    if (options_.json) print_all();
    return 0;
  }

 private:
  struct Done {
    Server* server = nullptr;
    std::optional<int> before;  ///< the release that it served
    int number = 0;             ///< of this release
    bool live = false;          ///< what it serves now is this release
    std::string told = "not touched";
    Json answer = Json::object();
  };

  /// What the thread that hears Ctrl-C knows.
  struct Now {
    Server* server = nullptr;  ///< on which a release moves; nothing: none does
    std::string version;
    bool live = false;  ///< it is switched
    bool last = false;  ///< and no other host comes after this one
    bool cancelled = false, reverting = false;
  };

  bool several() const { return servers_.size() > 1; }

  std::optional<int> serving(Server& server) {
    std::optional<Json> status = server.find(path_ + "/status");
    const Json* serving = status ? status->find("serving") : nullptr;
    if (!serving || serving->is_null()) return std::nullopt;
    return static_cast<int>(serving->at("number").integer());
  }

  /// The release on one server. What is thrown on the first has changed nothing and is thrown on; on another
  /// it is said, and those before it go back.
  int one(Done& done, const std::function<Json(Server&)>& begin) {
    if (several() && !options_.json)
      out_.line(out_.paint(Colour::bold, fmt::format("{} on {}", app_, done.server->name())));
    try {
      return follow(done, begin);
    } catch (const Error& error) {
      done.told = fmt::format("failed: {}", error.what());
      if (&done == &done_.front()) throw;
      errors_.line(errors_.paint(Colour::red, "error: ") + error.what());
      return exit_code(Error::failed);
    }
  }

  int follow(Done& done, const std::function<Json(Server&)>& begin) {
    Server& server = *done.server;
    done.answer = begin_when_free(server, begin);
    if (done.answer.boolean_or("unchanged", false)) return unchanged(done);
    const Json release = done.answer.at("release");
    const int number = static_cast<int>(release.at("number").integer());
    const std::string version = fmt::format("v{}", number);
    done.number = number;
    begun(server, version, &done == &done_.back());
    if (options_.detach) return detached(version);
    if (!options_.json && !several())
      out_.line(out_.paint(Colour::bold, fmt::format("{} {}", app_, version)));
    ReleaseView view(options_.json ? nullptr : &out_);
    auto target = [&] { return fmt::format("{}/releases/{}/events", path_, number); };
    server.events("GET", target, true, [&](const Server::Event& event) {
      view.show(event.data);
      now_.lock()->live = view.live();
      return !view.finished();
    });
    ended();
    if (options_.json) done.answer = server.get(fmt::format("{}/releases/{}", path_, number));
    done.live = !view.failed();
    done.told = view.failed() ? fmt::format("{} failed", version) : fmt::format("{} is live", version);
    if (view.failed() && options_.json && !several()) print(done.answer);
    return view.failed() ? exit_code(Error::failed) : 0;
  }

  void begun(Server& server, const std::string& version, bool last) {
    auto now = now_.lock();
    now->server = &server;
    now->version = version;
    now->live = false;
    now->last = last;
  }

  void ended() {
    auto now = now_.lock();
    now->server = nullptr;
    now->live = false;
  }

  /// With --wait, a release that stands in the way is followed to its end first.
  Json begin_when_free(Server& server, const std::function<Json(Server&)>& begin) {
    for (;;) {
      try {
        return begin(server);
      } catch (const Error& error) {
        if (error.kind() != Error::conflict || !options_.wait) throw;
        std::optional<Json> status = server.find(path_ + "/status");
        const Json* moving = status ? status->find("moving") : nullptr;
        if (!moving || moving->is_null()) throw;  // the conflict is another one
        errors_.line(fmt::format("waiting: {}", error.what()));
        ReleaseView silent(nullptr);
        follow_release(server, app_, static_cast<int>(moving->at("number").integer()), silent);
      }
    }
  }

  void interrupted(int count) {
    const Now now = *now_.lock();
    if (now.reverting && count < kTimesToLeave)
      return errors_.line("the hosts are on their way back; Ctrl-C again leaves them");
    if ((!now.server && !several()) || count > 1) leave(kInterrupted);
    if (now.live && now.last) {
      errors_.line(fmt::format("{} goes on without you: holdall releases show {}", now.version, now.version));
      leave(0);
    }
    now_.lock()->cancelled = true;
    if (now.live || !now.server) return errors_.line("cancelling; the hosts on which it is live go back");
    errors_.line("cancelling; the old release serves on");
    try {
      now.server->post(path_ + "/cancel", Json::object());
    } catch (const Error& error) {
      errors_.line(error.what());  // the switch came first: what follows shows it
    }
  }

  int unchanged(Done& done) {
    done.told = done.answer.boolean_or("kept", false) ? "kept for its first release" : "nothing changed";
    if (!options_.json) out_.line(several() ? "  " + done.told : fmt::format("{}: {}", app_, done.told));
    return 0;
  }

  int detached(const std::string& version) {
    if (!options_.json)
      out_.line(fmt::format("{} {} is on its way: holdall releases show {}", app_, version, version));
    return 0;
  }

  /// Brings every server on which the release is live back to what it served before, and says what became of
  /// each.
  int revert(int code) {
    now_.lock()->reverting = true;
    for (Done& done : done_ | std::views::reverse) {
      if (done.live) take_back(done);
    }
    if (options_.json) {
      print_all();
    } else {
      out_.line("");
      out_.line(out_.paint(Colour::red, fmt::format("{} is released nowhere", app_)));
      for (const Done& done : done_) out_.line(fmt::format("  {}   {}", done.server->name(), done.told));
    }
    return code == kInterrupted ? code : exit_code(Error::failed);
  }

  void take_back(Done& done) {
    if (!done.before) return withdraw(done);
    if (!options_.json) out_.line(fmt::format("back to v{} on {}", *done.before, done.server->name()));
    try {
      Json body = Json::object({{"to", *done.before}});
      Json answer = done.server->post(path_ + "/rollback", body, random_id());
      ReleaseView view(options_.json ? nullptr : &out_);
      follow_release(*done.server, app_, static_cast<int>(answer.at("release").at("number").integer()), view);
      done.live = view.failed();
      done.told = view.failed() ? fmt::format("{}, and did not go back to v{}", done.told, *done.before)
                                : fmt::format("v{} serves again", *done.before);
    } catch (const Error& error) {
      done.told += fmt::format(", and did not go back to v{}: {}", *done.before, error.what());
    }
  }

  /// It served nothing before, and does so again.
  void withdraw(Done& done) {
    if (!options_.json) out_.line(fmt::format("stopping v{} on {}", done.number, done.server->name()));
    try {
      done.server->post(path_ + "/withdraw", Json::object({{"number", done.number}}), random_id());
      done.live = false;
      done.told = fmt::format("v{} is stopped: nothing serves, as before", done.number);
    } catch (const Error& error) {
      done.told += fmt::format(", and was not stopped: {}", error.what());
    }
  }

  void print_all() const {
    if (!several()) return print(done_.front().answer);
    Json hosts = Json::array();
    for (const Done& done : done_) {
      Json host = Json::object({{"host", done.server->name()}, {"outcome", done.told}});
      for (const auto& [name, value] : done.answer.members()) host[name] = value;
      hosts.add(std::move(host));
    }
    print(Json::object({{"hosts", std::move(hosts)}}));
  }

  static void print(const Json& json) { std::fputs(json.pretty().c_str(), stdout); }

  const std::vector<Server*> servers_;
  const std::string app_, path_;
  const RolloutOptions options_;
  const Terminal out_, errors_;
  std::vector<Done> done_;
  Guarded<Now> now_;
};

}  // namespace

int roll_out(Invocation& call, const std::string& app, std::deque<Server>& servers,
             const RolloutOptions& options, const std::function<Json(Server&)>& begin) {
  std::vector<Server*> all;
  for (Server& server : servers) all.push_back(&server);
  return Rollout(call, app, std::move(all), options).run(begin);
}

int roll_out(Invocation& call, Server& server, const std::string& app, const RolloutOptions& options,
             const std::function<Json()>& begin) {
  return Rollout(call, app, {&server}, options).run([&](Server&) { return begin(); });
}

}  // namespace holdall::cli
