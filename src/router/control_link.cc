#include "router/control_link.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"

namespace holdall::router {
namespace {

using namespace std::chrono_literals;

// Beyond a drain's own deadline: the router closes what is left and answers.
constexpr auto kAnswerPatience = 2s;

Counters::Releases parse_releases(const Json& json) {
  Counters::Releases releases;
  for (const auto& [release, counts] : json.members()) {
    auto number = [&](std::string_view key) { return static_cast<std::uint64_t>(counts.at(key).integer()); };
    Counters::PerRelease& one = releases[release];
    one.served = number("served");
    one.app_5xx = number("app_5xx");
    one.cut = number("cut");
    one.left = number("left");
    one.maintenance = static_cast<std::uint64_t>(counts.integer_or("maintenance", 0));
    for (const auto& [cause, count] : counts.at("failed").members()) {
      one.failed[cause] = static_cast<std::uint64_t>(count.integer());
    }
  }
  return releases;
}

Counters parse_counters(const Json& json) {
  Counters counters;
  counters.epoch = json.at("epoch").string();
  counters.started = wall_time(json.at("started_ns").integer());
  counters.log_lines_dropped = static_cast<std::uint64_t>(json.at("log_lines_dropped").integer());
  counters.releases = parse_releases(json.at("releases"));
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

/// Those that came after `number`.
template <typename Links>
Links after(std::uint64_t number, const Links& links) {
  return Links(links.upper_bound(number), links.end());
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
    std::vector<pollfd> waits{{parent_.news_descriptor(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    const std::map<Number, Link> links = state_.lock()->links;
    for (const auto& [number, link] : links) waits.push_back({link.socket->get(), POLLIN, 0});
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) {
      throw_errno(Error::broken, "wait for routers", errno);
    }
    if (waits[1].revents != 0) clear(wake_);
    std::size_t at = 2;
    for (const auto& [number, link] : links) {
      if (waits[at++].revents != 0) take_messages(number, *link.socket);
    }
    if (waits[0].revents != 0) take_news();
  }
}

// By the reader, and by whoever must know every router that there is by now: what one of them takes, both
// have.
void ControlLink::take_news() {
  {
    auto state = state_.lock();
    // Within the lock, so that the order of links is the order in which they came.
    RouterNews news = parent_.router_news();
    for (Fd& link : news.links) {
      state->links[++state->last_link].socket = std::make_shared<const Fd>(std::move(link));
    }
    for (auto& [epoch, memfd] : news.counted) {
      try {
        state->counted[epoch] = parse_releases(Json::parse(read_memfd(memfd)).at("releases"));
      } catch (const Error& error) {
        log::error("router.counted", error.what());
      }
    }
  }
  poke(wake_);
  changed_.notify_all();
}

void ControlLink::take_messages(Number number, const Fd& socket) {
  try {
    while (auto message = net::receive(socket, Deadline::after(0s))) hear(number, std::move(*message));
  } catch (const Error& error) {
    if (error.kind() != Error::missing) log::error("router.link", error.what());
    auto state = state_.lock();
    if (const std::string& epoch = state->links[number].epoch; !epoch.empty()) state->ended.insert(epoch);
    state->links.erase(number);
    changed_.notify_all();
  }
}

void ControlLink::hear(Number number, net::Handover message) {
  const std::string& type = message.body.at("type").string();
  auto state = state_.lock();
  Link& link = state->links[number];
  if (type == "hello" || type == "ack") {
    auto version = static_cast<std::uint64_t>(message.body.at("version").integer());
    link.served = std::max(link.served, version);
    if (type == "hello") link.epoch = message.body.at("epoch").string();
  } else if (type == "refused") {
    state->refused = {static_cast<std::uint64_t>(message.body.at("version").integer()),
                      message.body.at("message").string()};
  } else if (type == "drained" || type == "counters") {
    auto open = state->answers.find(static_cast<std::uint64_t>(message.body.at("id").integer()));
    if (open == state->answers.end()) return;  // nobody waits for it any more
    open->second[number] =
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
  // A router that is not here by now has been started with this table.
  take_news();

  auto state = state_.lock();
  Number told = 0;  // every link up to it was sent the table
  state->refused.reset();
  auto all_serve = [&] {
    return !state->links.empty() && std::ranges::all_of(state->links, [&](const auto& one) {
      return one.second.served >= table.version;
    });
  };
  auto arrived = [&] {
    return state->stopping || all_serve() || state->last_link > told ||
           (state->refused && state->refused->first == table.version);
  };
  while (wait_until(changed_, state, deadline, arrived)) {
    if (state->stopping) throw Error(Error::busy, "control is stopping");
    if (state->refused)
      throw Error(Error::conflict, fmt::format("the router refused the table: {}", state->refused->second));
    if (all_serve()) {
      state.raw().unlock();
      parent_.keep_only(names);
      return unbound;
    }
    auto fresh = after(told, state->links);
    told = state->last_link;
    state.raw().unlock();
    // A link that breaks meanwhile is the reader's to notice; the next one gets the table then.
    for (const auto& [number, link] : fresh) {
      net::send(*link.socket, Json::object({{"type", "table"}, {"version", table.version}}), {memfd.get()},
                deadline);
    }
    state.raw().lock();
  }
  throw Error(Error::busy, fmt::format("no router has taken table {} in time", table.version));
}

std::vector<Json> ControlLink::ask(Json message, Deadline deadline, bool leavable) {
  take_news();
  auto state = state_.lock();
  std::uint64_t id = ++state->last_id;
  message["id"] = id;
  std::map<Number, Json>& answers = state->answers[id];
  Number told = 0;
  auto given_up = [&] { return state->stopping || (leavable && state->leaving_drains); };
  auto answered = [&] {
    return !state->links.empty() &&
           std::ranges::all_of(state->links, [&](const auto& one) { return answers.contains(one.first); });
  };
  auto arrived = [&] { return given_up() || answered() || state->last_link > told; };
  while (wait_until(changed_, state, deadline, arrived) && !given_up() && !answered()) {
    auto fresh = after(told, state->links);
    told = state->last_link;
    state.raw().unlock();
    for (const auto& [number, link] : fresh) net::send(*link.socket, message, {}, deadline);
    state.raw().lock();
  }
  std::vector<Json> out;
  if (answered() && !given_up()) {
    // Also of a router that answered and then ended.
    for (auto& [number, answer] : answers) out.push_back(std::move(answer));
  }
  state->answers.erase(id);
  return out;
}

Router::Drained ControlLink::drain(const std::vector<InstanceId>& targets, Deadline drain_deadline) {
  Json ids = Json::array();
  for (const InstanceId& id : targets) ids.add(id.value);
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(drain_deadline.at() - BootClock::now());
  Json message = Json::object({{"type", "drain"},
                               {"targets", std::move(ids)},
                               {"timeout_ms", std::max<std::int64_t>(0, left.count())}});
  bool never = drain_deadline == Deadline::never();
  std::vector<Json> answers =
      ask(std::move(message), never ? drain_deadline : Deadline(drain_deadline.at() + kAnswerPatience), true);
  Drained drained{.complete = !answers.empty()};
  for (const Json& answer : answers) {
    drained.complete &= answer.at("complete").boolean();
    drained.cut += static_cast<std::uint64_t>(answer.at("cut").integer());
    drained.finished += static_cast<std::uint64_t>(answer.at("finished").integer());
  }
  return drained;
}

void ControlLink::leave_drains() {
  state_.lock()->leaving_drains = true;
  changed_.notify_all();
}

std::optional<Counters> ControlLink::counters(Deadline deadline) {
  std::vector<Json> answers = ask(Json::object({{"type", "counters"}}), deadline, false);
  if (answers.empty()) return std::nullopt;
  const Json serving = std::move(answers.back());
  answers.pop_back();
  const Json none = Json::array();
  const Json* told = serving.find("after");
  const std::vector<Json>& after = (told ? *told : none).items();
  std::map<std::string, Counters::Releases> running;
  for (const Json& answer : answers) {
    running[answer.at("epoch").string()] = parse_releases(answer.at("releases"));
  }

  Counters counters = parse_counters(serving);
  auto state = state_.lock();
  // A router's last counters come by another way than its end, and may be a moment behind it.
  wait_until(changed_, state, deadline, [&] { return state->stopping || all_counted(*state, after); });
  for (auto epoch = after.rbegin(); epoch != after.rend(); ++epoch) {
    auto live = running.find(epoch->string());
    auto last = state->counted.find(epoch->string());
    if (last != state->counted.end()) {
      counters.earlier.push_back({.epoch = epoch->string(), .releases = last->second, .ended = true});
    } else if (live != running.end()) {
      counters.earlier.push_back({.epoch = epoch->string(), .releases = std::move(live->second)});
    } else {
      break;
    }
  }
  std::ranges::reverse(counters.earlier);
  return counters;
}

bool ControlLink::all_counted(const State& state, const std::vector<Json>& after) {
  return std::ranges::all_of(after, [&](const Json& epoch) {
    return !state.ended.contains(epoch.string()) || state.counted.contains(epoch.string());
  });
}

}  // namespace holdall::router
