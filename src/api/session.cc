#include "api/session.h"

#include <fmt/format.h>

#include <map>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"

namespace holdall::api {
namespace {

using namespace std::chrono_literals;

// A client that was cut off by a restart of control is back after milliseconds; one that was killed never.
constexpr auto kReattach = 10s;
// Each instance gets its stop_grace_period; then it is killed. More than this is a fault that destroy
// reports.
constexpr auto kStopTimeout = 5min;
constexpr auto kSlice = 100ms;  // in which a thread notices that it should end

std::map<InstanceId, Json> told_of(const supervise::Snapshot& snapshot) {
  std::map<InstanceId, Json> out;
  for (const supervise::InstanceStatus& instance : snapshot.instances) {
    out[instance.id] =
        Json::object({{"app", instance.app}, {"service", instance.service}, {"slot", instance.slot}});
  }
  return out;
}

}  // namespace

/// A session is what the client's connection holds open.
class Sessions::Source final : public net::StreamSource {
 public:
  explicit Source(Sessions& sessions) : sessions_(sessions) {}
  ~Source() override { sessions_.closed(); }

  void start(std::function<void()>) override {}
  std::optional<std::string> next() override {
    if (std::exchange(greeted_, true)) return "";
    return "event: ready\ndata: {}\n\n";
  }

 private:
  Sessions& sessions_;
  bool greeted_ = false;
};

Sessions::Sessions(release::Releases& releases, supervise::Supervisor& supervisor,
                   std::filesystem::path detached, Destroy destroy, std::function<void()> exit)
    : releases_(releases),
      supervisor_(supervisor),
      detached_file_(std::move(detached)),
      destroy_(std::move(destroy)),
      exit_(std::move(exit)) {
  state_.lock()->detached = std::filesystem::exists(detached_file_);
  tasks_.start("first session", [this](const std::stop_token& stop) {
    Deadline deadline = Deadline::after(kReattach);
    while (!deadline.passed() && !stop.stop_requested()) {
      std::this_thread::sleep_for(kSlice);
      if (state_.lock()->open > 0) return;
    }
    if (!stop.stop_requested()) begin_stop();
  });
}

Sessions::~Sessions() {
  leave();
  tasks_.stop();
}

std::unique_ptr<net::StreamSource> Sessions::open() {
  {
    auto state = state_.lock();
    if (state->stopping) throw Error(Error::conflict, "this server is stopping; try again when it has");
    ++state->open;
    state->detached = false;
  }
  std::filesystem::remove(detached_file_);
  return std::make_unique<Source>(*this);
}

void Sessions::detach() {
  write_file_atomic(detached_file_, "");
  state_.lock()->detached = true;
}

void Sessions::closed() {
  auto state = state_.lock();
  bool last = --state->open == 0;
  state.raw().unlock();
  if (last) begin_stop();
}

void Sessions::leave() { state_.lock()->leaving = true; }

void Sessions::begin_stop() {
  {
    auto state = state_.lock();
    if (state->detached || state->stopping || state->leaving || state->open > 0) return;
    state->stopping = true;
  }
  tasks_.start("stop everything", [this](const std::stop_token&) { stop_apps(); });
}

void Sessions::stop_apps() {
  for (const std::string& app : releases_.apps()) {
    try {
      stop_app(app);
    } catch (const Error& error) {
      log::error("session.stop", fmt::format("stopping {}: {}", app, error.what()));
    }
  }
  state_.lock()->done = true;
  exit_();
}

/// A release that is under way is cancelled first; one that has switched is let finish.
void Sessions::stop_app(const std::string& app) {
  Deadline deadline = Deadline::after(kStopTimeout);
  for (;;) {
    try {
      destroy_(app, deadline);
      return;
    } catch (const Error& error) {
      if (error.kind() != Error::conflict || deadline.passed()) throw;
    }
    try {
      releases_.cancel(app, "the end of the session");
    } catch (const Error&) {
      // It has switched, or ended meanwhile: its end is near.
    }
    std::this_thread::sleep_for(kSlice);
  }
}

std::unique_ptr<net::StreamSource> Sessions::stop_everything() {
  return make_stream(tasks_, "stopped instances", [this](Feed& feed, const std::stop_token& stop) {
    {
      auto state = state_.lock();
      state->detached = false;
      state->open = 0;  // those who watch are about to lose what they watch
    }
    std::filesystem::remove(detached_file_);
    auto running = supervisor_.snapshot();  // before the first of them can go
    begin_stop();
    tell_stopped(feed, stop, *running);
  });
}

void Sessions::tell_stopped(Feed& feed, const std::stop_token& stop, const supervise::Snapshot& first) {
  std::map<InstanceId, Json> running = told_of(first);
  std::uint64_t seen = 0;
  for (bool done = false; !done && !stop.stop_requested();) {
    done = state_.lock()->done;
    auto snapshot = done ? supervisor_.snapshot() : supervisor_.wait(seen, Deadline::after(kSlice));
    seen = snapshot->version;
    std::map<InstanceId, Json> now = told_of(*snapshot);
    for (const auto& [id, instance] : running) {
      if (!now.contains(id) && !feed.push("stopped", instance)) return;
    }
    running = std::move(now);
  }
}

}  // namespace holdall::api
