#include "router/control_link.h"

#include <fmt/format.h>
#include <poll.h>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"

namespace holdall::router {
namespace {

using namespace std::chrono_literals;

// How long the parent is asked for a link before the reader looks whether it should stop.
constexpr auto kLinkPatience = 200ms;

// Beyond a drain's own deadline: the router closes what is left and answers.
constexpr auto kAnswerPatience = 2s;

Counters parse_counters(const Json& json) {
  Counters counters;
  counters.epoch = json.at("epoch").string();
  counters.started = wall_time(json.at("started_ns").integer());
  counters.log_lines_dropped = static_cast<std::uint64_t>(json.at("log_lines_dropped").integer());
  for (const auto& [release, counts] : json.at("releases").members()) {
    auto number = [&](std::string_view key) { return static_cast<std::uint64_t>(counts.at(key).integer()); };
    Counters::PerRelease& one = counters.releases[release];
    one.served = number("served");
    one.app_5xx = number("app_5xx");
    one.cut = number("cut");
    one.left = number("left");
    for (const auto& [cause, count] : counts.at("failed").members()) {
      one.failed[cause] = static_cast<std::uint64_t>(count.integer());
    }
  }
  return counters;
}

// Waits until `so()` holds, with the state's lock held whenever it is asked. False at the deadline.
template <typename Locked, typename So>
bool wait_until(std::condition_variable& changed, Locked& state, Deadline deadline, So&& so) {
  while (!so()) {
    int patience = deadline.poll_ms();
    if (patience == 0) return false;
    if (patience < 0) {
      changed.wait(state.raw());
    } else {
      changed.wait_for(state.raw(), std::chrono::milliseconds(patience));
    }
  }
  return true;
}

}  // namespace

std::unique_ptr<Router> make_router(Parent& parent) { return std::make_unique<ControlLink>(parent); }

ControlLink::ControlLink(Parent& parent) : parent_(parent), wake_(make_event()) {
  reader_ = std::jthread([this](const std::stop_token& stop) { read(stop); });
}

ControlLink::~ControlLink() {
  state_.lock()->stopping = true;
  changed_.notify_all();
  reader_.request_stop();
  poke(wake_);
}

void ControlLink::read(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::shared_ptr<const Fd> link = state_.lock()->link;
    const Deadline patience = Deadline::after(kLinkPatience);
    try {
      if (!link) {
        std::optional<Fd> fresh = parent_.router_link(patience);
        if (!fresh) {
          rest(patience);
          continue;
        }
        auto state = state_.lock();
        state->link = std::make_shared<const Fd>(std::move(*fresh));
        ++state->generation;
        state->served = 0;
        continue;  // its hello says what it serves
      }
      pollfd waits[2] = {{link->get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
      poll(waits, 2, -1);
      if (waits[0].revents == 0) continue;
      while (auto message = net::receive(*link, Deadline::after(0s))) hear(std::move(*message));
    } catch (const Error& error) {
      if (error.kind() != Error::missing) log::error("router.link", error.what());
      state_.lock()->link = nullptr;
      changed_.notify_all();
      if (!link) rest(patience);
    }
  }
}

// A parent that is gone answers at once: it is not asked without pause.
void ControlLink::rest(Deadline until) const {
  pollfd wait{wake_.get(), POLLIN, 0};
  poll(&wait, 1, until.poll_ms());
}

void ControlLink::hear(net::Handover message) {
  const std::string& type = message.body.at("type").string();
  auto state = state_.lock();
  if (type == "hello" || type == "ack") {
    auto version = static_cast<std::uint64_t>(message.body.at("version").integer());
    state->served = std::max(state->served, version);
  } else if (type == "refused") {
    state->refused = {static_cast<std::uint64_t>(message.body.at("version").integer()),
                      message.body.at("message").string()};
  } else if (type == "drained" || type == "counters") {
    auto id = static_cast<std::uint64_t>(message.body.at("id").integer());
    if (!state->asked.contains(id)) return;  // nobody waits for it any more
    state->answers[id] =
        message.fds.empty() ? std::move(message.body) : Json::parse(read_memfd(message.fds[0]));
  } else {
    log::warning("router.message", fmt::format("the router says '{}'", message.body.print()));
    return;
  }
  changed_.notify_all();
}

std::vector<Unbound> ControlLink::bind(const std::vector<Listener>& listeners) {
  std::vector<Unbound> unbound;
  for (const Listener& listener : listeners) {
    try {
      parent_.bind(listener);
    } catch (const Error& error) {
      if (error.kind() == Error::missing) throw;  // the parent has gone, and takes all of them
      unbound.push_back({listener, error.what()});
    }
  }
  return unbound;
}

std::vector<Unbound> ControlLink::publish(const RouteTable& table, Deadline deadline) {
  std::lock_guard one_at_a_time(publishing_);
  check(table);
  std::vector<Unbound> unbound = bind(table.listeners);
  std::vector<std::string> names;
  for (const Listener& listener : table.listeners) names.push_back(listener.name);
  Fd memfd = sealed_memfd("route table", to_json(table).print());
  parent_.keep_table(memfd);

  auto state = state_.lock();
  std::uint64_t told = 0;  // the generation that was sent the table
  state->refused.reset();
  auto arrived = [&] {
    return state->stopping || state->served >= table.version || (state->link && state->generation != told) ||
           (state->refused && state->refused->first == table.version);
  };
  while (wait_until(changed_, state, deadline, arrived)) {
    if (state->stopping) throw Error(Error::busy, "control is stopping");
    if (state->refused)
      throw Error(Error::conflict, fmt::format("the router refused the table: {}", state->refused->second));
    if (state->served >= table.version) {
      state.raw().unlock();
      parent_.keep_only(names);
      return unbound;
    }
    told = state->generation;
    auto link = state->link;
    state.raw().unlock();
    send_table(*link, table.version, memfd, deadline);
    state.raw().lock();
  }
  throw Error(Error::busy, fmt::format("no router has taken table {} in time", table.version));
}

// A link that breaks meanwhile is the reader's to notice; the next one gets the table then.
bool ControlLink::send_table(const Fd& link, std::uint64_t version, const Fd& memfd, Deadline deadline) {
  return net::send(link, Json::object({{"type", "table"}, {"version", version}}), {memfd.get()}, deadline);
}

// The answer of the present router, or of the one after it if it ends first.
std::optional<Json> ControlLink::ask(Json message, Deadline deadline, bool leavable) {
  auto state = state_.lock();
  std::uint64_t id = ++state->last_id;
  message["id"] = id;
  state->asked.insert(id);
  std::uint64_t told = 0;
  auto given_up = [&] { return state->stopping || (leavable && state->leaving_drains); };
  auto arrived = [&] {
    return given_up() || state->answers.contains(id) || (state->link && state->generation != told);
  };
  std::optional<Json> answer;
  while (!answer && wait_until(changed_, state, deadline, arrived) && !given_up()) {
    if (auto found = state->answers.find(id); found != state->answers.end()) {
      answer = std::move(found->second);
    } else {
      told = state->generation;
      auto link = state->link;
      state.raw().unlock();
      net::send(*link, message, {}, deadline);
      state.raw().lock();
    }
  }
  state->asked.erase(id);
  state->answers.erase(id);
  return answer;
}

Router::Drained ControlLink::drain(const std::vector<InstanceId>& targets, Deadline drain_deadline) {
  Json ids = Json::array();
  for (const InstanceId& id : targets) ids.add(id.value);
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(drain_deadline.at() - BootClock::now());
  Json message = Json::object({{"type", "drain"},
                               {"targets", std::move(ids)},
                               {"timeout_ms", std::max<std::int64_t>(0, left.count())}});
  bool never = drain_deadline == Deadline::never();
  std::optional<Json> answer =
      ask(std::move(message), never ? drain_deadline : Deadline(drain_deadline.at() + kAnswerPatience), true);
  if (!answer) return {.complete = false};
  Drained drained;
  drained.complete = answer->at("complete").boolean();
  drained.cut = static_cast<std::uint64_t>(answer->at("cut").integer());
  drained.finished = static_cast<std::uint64_t>(answer->at("finished").integer());
  return drained;
}

void ControlLink::leave_drains() {
  state_.lock()->leaving_drains = true;
  changed_.notify_all();
}

std::optional<Counters> ControlLink::counters(Deadline deadline) {
  std::optional<Json> answer = ask(Json::object({{"type", "counters"}}), deadline, false);
  if (!answer) return std::nullopt;
  return parse_counters(*answer);
}

}  // namespace holdall::router
