#include "release/rollout.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "base/keys.h"
#include "base/log.h"
#include "release/plan.h"
#include "release/report.h"
#include "release/secrets.h"

namespace holdall::release {
namespace {

// Between tries of a step that must come out well in the end: long enough for a router or a disk to come
// back, short beside what a person waits for.
constexpr auto kRetryPause = std::chrono::milliseconds(500);

// Artefacts and keys of so many releases of each app are kept, to roll back to.
constexpr std::size_t kKeptReleases = 10;

/// Before the new table is out, and while it is on probation, an error ends the release. Later there is
/// nothing to go back to, and while going back nothing else to go to: then the step is tried until it comes
/// out well.
bool reverts_on_error(Step step) { return step != Step::revert && step != Step::stop_old; }

}  // namespace

Rollout::Rollout(const Context& context, std::string app, int number)
    : context_(context), name_(std::move(app)), number_(number) {}

void Rollout::run(const std::stop_token& stop) {
  stop_ = stop;
  std::string error;  // of the last try
  while (!stop.stop_requested()) {
    const bool again = !error.empty();
    try {
      load();
      if (is_final(row_.release.step)) return;
      if (again && reverts_on_error(row_.release.step)) {
        begin_revert(error, nullptr);
      } else {
        do_step();
      }
      error.clear();
    } catch (const std::exception& caught) {
      error = caught.what();
      log::error(
          "release.step", error,
          Json::object({{"app", name_}, {"release", version(number_)}, {"step", name(row_.release.step)}}));
      if (again) std::this_thread::sleep_for(kRetryPause);
    }
  }
}

void Rollout::load() {
  std::optional<Row> row, old;
  std::vector<Event> events;
  context_.database.read([&](store::Transaction& t) {
    row = find_row(t, name_, number_);
    if (row && row->replaces) old = find_row(t, name_, *row->replaces);
    events = events_after(t, name_, number_, 0);
  });
  if (!row) throw Error(Error::broken, fmt::format("release {} of {} has no row", version(number_), name_));
  row_ = std::move(*row);
  app_ = app_of(row_.request);
  old_app_.reset();
  fresh_.clear();
  grown_.clear();
  shrunk_.clear();
  replaced_.clear();
  if (old) old_app_ = app_of(old->request);
  for (const std::string& service : start_order(app_)) {
    const int replicas = app_.services.at(service).replicas;
    if (release_of(row_.groups.at(service)) == number_) {
      fresh_.push_back(service);
    } else if (const int before = old_app_->services.at(service).replicas; before < replicas) {
      fresh_.push_back(service);
      grown_[service] = before;
    } else if (before > replicas) {
      shrunk_[service] = replicas;
    }
  }
  if (old) {
    for (const auto& [service, group] : old->groups) {
      const auto kept = row_.groups.find(service);
      if (kept == row_.groups.end() || kept->second != group) replaced_.push_back(group);
    }
  }
  untold_.clear();
  told_.clear();
  lines_told_.clear();
  for (const Event& event : events) {
    if (event.kind == "command") told_.insert(event.data.at("group").string());
    if (event.kind == "output") {
      lines_told_[event.data.at("instance").string()] +=
          static_cast<int>(event.data.at("lines").items().size());
    }
    if (event.kind == "start") told_.insert(event.data.at("service").string());
    if (event.kind == "ready") told_.insert(event.data.at("instance").string());
  }
}

/// The transaction that moves the row, unless it is no longer in the step that we are in.
Rollout::Work Rollout::moving_to(const Row& next, const Work& also, bool& moved) {
  return [this, &next, &also, &moved](store::Transaction& t) {
    moved = update_step(t, next, row_.release.step);
    if (!moved) return;
    for (const Event& event : untold_) add_event(t, name_, number_, event);
    if (also) also(t);
  };
}

bool Rollout::move_to(const Row& next, const Work& also) {
  bool moved = false;
  context_.commit(std::string(name(next.release.step)), moving_to(next, also, moved));
  untold_.clear();
  if (moved) row_ = next;
  return moved;
}

bool Rollout::move_and_publish(const Row& next, const std::string& publish, const Work& also) {
  bool moved = false;
  publish_took_ = context_.commit_and_publish(std::string(name(next.release.step)), publish,
                                              moving_to(next, also, moved));
  untold_.clear();
  if (moved) row_ = next;
  return moved;
}

void Rollout::tell(std::string kind, Json data) {
  untold_.push_back({0, context_.clock.wall(), std::move(kind), std::move(data)});
}

/// What was told goes out before a wait, together with the report as it is now.
void Rollout::commit_untold() {
  if (untold_.empty()) return;
  bool moved = false;
  context_.commit("tell", moving_to(row_, nullptr, moved));
  untold_.clear();
}

bool Rollout::overtaken() const {
  std::optional<Step> step;
  context_.database.read([&](store::Transaction& t) { step = step_of(t, name_, number_); });
  return step != row_.release.step;
}

/// Until the supervisor has something newer, `at_most`, or it is time to look at the row and the stop token
/// again.
void Rollout::pause(const supervise::Snapshot& seen, Instant at_most) const {
  std::chrono::nanoseconds span = kNoticeSlice;
  if (at_most != Instant::max()) {
    span = std::clamp<std::chrono::nanoseconds>(at_most - context_.clock.now(), std::chrono::nanoseconds(0),
                                                span);
  }
  context_.supervisor.wait(seen.version, Deadline::after(span));
}

/// Of every app: nothing is ever started again but from its last releases, and what serves or moves.
void Rollout::forget_unneeded() const {
  std::set<Digest> artefacts;
  std::vector<PublicKey> keys;
  context_.database.read([&](store::Transaction& t) {
    for (const AppRow& app : all_apps(t)) {
      std::vector<int> all = numbers(t, app.name);
      if (all.size() > kKeptReleases) all.resize(kKeptReleases);
      if (app.serving) all.push_back(*app.serving);
      if (const auto moving = moving_number(t, app.name)) all.push_back(*moving);
      for (const int number : all) {
        const std::optional<Row> row = find_row(t, app.name, number);
        for (const auto& [service, digest] : row->request.artefacts) artefacts.insert(digest);
        if (app.name == name_) add_needed_keys(t, *row, keys);
      }
    }
  });
  try {
    context_.act("artefacts", [&] { context_.engine.keep_artefacts({artefacts.begin(), artefacts.end()}); });
    KeyDirectory(context_.options.keys).retire({name_}, keys);
  } catch (const Error& error) {
    // What was not deleted now will be after the next release.
    log::warning("release.artefacts", error.what());
  }
}

}  // namespace holdall::release
