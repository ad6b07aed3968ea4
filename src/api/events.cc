// events: what befalls an app's instances and its releases, as one stream.

#include <fmt/format.h>

#include <deque>

#include "api/handlers.h"
#include "base/error.h"

namespace holdall::api {
namespace {

using namespace std::chrono_literals;

// How long a change of a release, which the supervisor does not tell, may go unnoticed.
constexpr auto kSlice = 200ms;

/// How far a stream has come: the last that was told of instances and of releases. Its text is an event's id.
struct Position {
  std::int64_t instances = 0, release = 0, sequence = 0;

  std::string text() const { return fmt::format("{}.{}.{}", instances, release, sequence); }
};

Position parse_position(std::string_view text) {
  if (text.empty()) return {};
  const std::size_t first = text.find('.'), second = text.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos)
    throw Error(Error::invalid, fmt::format("'{}' is no event id", text));
  return {.instances = parse_number(text.substr(0, first), "event id"),
          .release = parse_number(text.substr(first + 1, second - first - 1), "event id"),
          .sequence = parse_number(text.substr(second + 1), "event id")};
}

struct Told {
  WallTime at;
  Json data;
  std::string id;
};

Json shown(std::string_view type, std::string_view action, WallTime at) {
  return Json::object({{"time", rfc3339(at)},
                       {"time_ns", nanoseconds(at)},
                       {"type", std::string(type)},
                       {"action", std::string(action)}});
}

Json shown(const supervise::InstanceEvent& event) {
  Json data = shown("instance", event.action, event.at);
  data["service"] = event.service;
  data["slot"] = event.slot;
  data["id"] = event.instance.value;
  data["group"] = event.group.value;
  data["reason"] = event.reason;
  return data;
}

Json shown(int number, const release::Event& event) {
  Json data = shown("release", event.kind, event.at);
  data["release"] = fmt::format("v{}", number);
  data["data"] = event.data;
  return data;
}

/// What comes after `position`, which moves to its end: each kind in its order, both merged by time.
std::vector<Told> next_events(store::Database& database, const std::string& app, Position& position) {
  std::deque<supervise::InstanceEvent> instances;
  std::deque<std::pair<int, release::Event>> releases;
  database.read([&](store::Transaction& t) {
    for (auto& event : supervise::instance_events(t, app, position.instances))
      instances.push_back(std::move(event));
    for (auto& event : release::app_events(t, app, static_cast<int>(position.release), position.sequence)) {
      // What a release command says is in the logs.
      if (event.second.kind != "output") releases.push_back(std::move(event));
    }
  });
  std::vector<Told> all;
  while (!instances.empty() || !releases.empty()) {
    if (releases.empty() || (!instances.empty() && instances.front().at <= releases.front().second.at)) {
      const supervise::InstanceEvent& event = instances.front();
      position.instances = event.sequence;
      all.push_back({event.at, shown(event), position.text()});
      instances.pop_front();
    } else {
      const auto& [number, event] = releases.front();
      position.release = number;
      position.sequence = event.sequence;
      all.push_back({event.at, shown(number, event), position.text()});
      releases.pop_front();
    }
  }
  return all;
}

}  // namespace

net::Response Handlers::app_events(net::Request& request) {
  const std::string app = request.parameters.at(0);
  const std::string_view last = request.header("Last-Event-ID");
  const std::optional<std::string> since_ns = request.parameter("since_ns");
  Position position = parse_position(last);
  WallTime since = parts_.clock.wall();
  if (since_ns) since = wall_time(parse_number(*since_ns, "instant"));
  const bool follow = request.parameter("follow").value_or("1") == "1";
  std::vector<Told> told = next_events(parts_.database, app, position);
  // The first answer alone is measured by the clock, which may be set back while the stream goes on.
  if (last.empty()) std::erase_if(told, [&](const Told& one) { return one.at < since; });
  auto produce = [this, app, position, told = std::move(told), follow](Feed& feed,
                                                                       const std::stop_token& stop) mutable {
    std::uint64_t seen = 0;
    // From here on goes on who is cut off before anything happened.
    if (told.empty()) feed.push("begin", Json::object(), position.text());
    while (!stop.stop_requested() && !feed.closed()) {
      for (const Told& one : told) {
        if (!feed.push("event", one.data, one.id)) return;
      }
      if (!follow) return;
      seen = parts_.supervisor.wait(seen, Deadline::after(kSlice), stop)->version;
      told = next_events(parts_.database, app, position);
    }
  };
  return stream_response(make_stream(streams_, "events of " + app, std::move(produce)));
}

}  // namespace holdall::api
