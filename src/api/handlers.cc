#include "api/handlers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>

#include "api/log_stream.h"
#include "api/processes.h"
#include "base/error.h"
#include "base/files.h"
#include "wire/wire.h"

namespace holdall::api {
namespace {

LogQuery parse_log_query(const net::Request& request) {
  LogQuery query{.app = request.parameters.at(0)};
  std::string services = request.parameter("service").value_or("");
  for (std::size_t at = 0; at < services.size();) {
    std::size_t comma = std::min(services.find(',', at), services.size());
    query.services.insert(services.substr(at, comma - at));
    at = comma + 1;
  }
  if (auto tail = request.parameter("tail"))
    query.tail = static_cast<std::size_t>(parse_number(*tail, "count"));
  query.follow = request.parameter("follow") == "1";
  if (auto from = request.parameter("from")) query.from = parse_cursors(*from);
  return query;
}

Json pid(int pid) { return Json::object({{"pid", pid}}); }

}  // namespace

std::int64_t parse_number(std::string_view text, std::string_view what) {
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    throw Error(Error::invalid, fmt::format("'{}' is no {}", text, what));
  }
  return number;
}

Handlers::Handlers(Parts parts, Options options, const Access& access, People& people, Calls& calls,
                   Visits& visits)
    : parts_(parts),
      options_(std::move(options)),
      access_(access),
      people_(people),
      calls_(calls),
      visits_(visits) {
  // What an upload left that a crash cut short.
  std::filesystem::remove_all(options_.state / "uploads");
  if (options_.is_private) {
    auto destroy = [this](const std::string& app, Deadline deadline) { destroy_app(app, deadline); };
    sessions_ = std::make_unique<Sessions>(parts_.releases, parts_.supervisor, options_.state / "detached",
                                           destroy, options_.exit);
  }
}

Handlers::~Handlers() { stop(); }

void Handlers::stop() {
  if (sessions_) sessions_->leave();
}

net::Response Handlers::server(net::Request&) {
  int serve = getppid();
  Json router = Json::object({{"http", net::text(options_.http)}});
  if (auto found = child_with_argument(serve, "router")) router["pid"] = *found;
  Json server = Json::object({{"version", wire::build().version},
                              {"engine", options_.engine},
                              {"router", router},
                              {"control", pid(getpid())},
                              {"serve", pid(serve)},
                              {"state", options_.state.string()},
                              {"private", options_.is_private}});
  if (!options_.tls.address.empty()) {
    server["api_tls"] =
        Json::object({{"address", options_.tls.address}, {"fingerprint", options_.tls.fingerprint}});
  }
  // Of the serve that runs now: the directory is gone with the machine's memory.
  if (auto upgrade = read_file_if_exists(options_.run / "upgrade.json"))
    server["upgrade"] = Json::parse(*upgrade);
  return net::json_response(server);
}

net::Response Handlers::logs(net::Request& request) {
  LogQuery query = parse_log_query(request);
  // An app or a service that is not there is said at once; a service that was there has still its logs.
  std::set<std::string> without = query.services;
  for (const logs::InstanceLog& log : logs::list(options_.state / "logs", query.app))
    without.erase(log.service);
  parts_.releases.check_services(query.app, without);
  auto produce = [this, query](Feed& feed, const std::stop_token& stop) {
    stream_logs(query, options_.state / "logs", parts_.supervisor, feed, stop);
  };
  return stream_response(make_stream(streams_, "logs of " + query.app, produce));
}

Sessions& Handlers::sessions() {
  if (!sessions_)
    throw Error(Error::invalid, "sessions are for the private server of `holdall up`; this one stays");
  return *sessions_;
}

net::Response Handlers::open_session(net::Request&) { return stream_response(sessions().open()); }

net::Response Handlers::detach_session(net::Request&) {
  sessions().detach();
  return net::json_response(Json::object());
}

net::Response Handlers::stop_session(net::Request&) { return stream_response(sessions().stop_everything()); }

}  // namespace holdall::api
