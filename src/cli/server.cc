#include "cli/server.h"

#include <fmt/format.h>

#include <exception>
#include <thread>

#include "base/error.h"
#include "cli/settings.h"
#include "cli/target.h"
#include "cli/token.h"
#include "net/socket.h"
#include "net/sse.h"
#include "net/url.h"
#include "wire/wire.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;

// An answer that takes longer is not coming: a handler waits at most for an artefact's build.
constexpr auto kCallTimeout = 10min;
constexpr auto kPatience = 30s;   // control is back after some milliseconds; a loaded machine may need longer
constexpr auto kAskAgain = 50ms;  // while it is started again

[[noreturn]] void throw_answer(const net::ClientResponse& response) {
  std::string message = response.body;
  Error::Kind kind = response.status >= 500 ? Error::broken : Error::invalid;
  try {
    const Json body = Json::parse(response.body);
    const Json& error = body.at("error");
    kind = parse_kind(error.at("kind").string());
    message = error.at("message").string();
  } catch (const Error&) {
    message = fmt::format("the server answered {} without a reason", response.status);
  }
  throw Error(kind, message);
}

void check_server(const net::ClientResponse& response) {
  wire::check_versions(wire::build().version, response.header(wire::kServerHeader));
}

Json parsed(const net::ClientResponse& response) {
  if (response.status < 200 || response.status > 299) throw_answer(response);
  return Json::parse(response.body);
}

/// Whether this is a connection that failed, not an answer.
bool no_connection(const Error& error) {
  return error.kind() == Error::missing || error.kind() == Error::failed;
}

Error nobody(const app::Host& host) {
  return Error(Error::missing,
               fmt::format("no server answers at {}: start one with `holdall serve`, or name another with -H",
                           app::text(host)));
}

net::Connected plain(Fd socket, const std::string& name) {
  return {std::make_unique<net::PlainStream>(std::move(socket)), name};
}

/// The server that its certificate, or the fingerprint that is expected, says it is.
net::Connected over_tls(const app::Host& host, Deadline deadline) {
  constexpr std::uint16_t kHttps = 443;
  auto variables = environment();
  net::Url url{.tls = true, .host = host.name, .port = host.port ? host.port : kHttps, .target = "/"};
  net::FetchOptions options{.ca_file = variables["HOLDALL_TLS_CA"],
                            .fingerprint = variables["HOLDALL_TLS_FINGERPRINT"]};
  try {
    return net::connect(url, deadline, options);
  } catch (const Error& error) {
    bool refused = std::string_view(error.what()).find("certificate is refused") != std::string_view::npos;
    throw Error(
        error.kind(),
        fmt::format("{}: {}{}", app::text(host), error.what(),
                    refused ? "\n  a certificate that the server made itself is known by its fingerprint: "
                              "HOLDALL_TLS_FINGERPRINT, which `holdall status --server` says there"
                            : ""));
  }
}

}  // namespace

/// Follows a stream's events and remembers where to go on. What `each` throws waits until the stream is left:
/// it is no failure of the connection.
class Server::EventReader {
 public:
  explicit EventReader(const std::function<bool(const Event&)>& each) : each_(each) {}

  /// False once no more is wanted.
  bool feed(std::string_view bytes) {
    try {
      for (const net::SseParser::Event& raw : parser_.feed(bytes)) {
        if (!raw.id.empty()) last_id_ = raw.id;
        satisfied_ = !each_({raw.name, raw.id, raw.data.empty() ? Json::object() : Json::parse(raw.data)});
        if (satisfied_) return false;
      }
    } catch (...) {
      thrown_ = std::current_exception();
    }
    return !thrown_;
  }

  void begin_again() { parser_ = {}; }
  const std::string& last_id() const { return last_id_; }

  bool satisfied() const {
    if (thrown_) std::rethrow_exception(thrown_);
    return satisfied_;
  }

 private:
  const std::function<bool(const Event&)>& each_;
  net::SseParser parser_;
  std::string last_id_;
  bool satisfied_ = false;
  std::exception_ptr thrown_;
};

Server::Server(const net::Address& address)
    : Server(app::Host{.user = "", .name = "", .port = 0, .path = address.path, .tls = false}) {}
Server::Server(const app::Host& host) : name_(app::text(host)), host_(host) {}
Server::~Server() = default;

template <typename Act>
auto Server::connected(Deadline deadline, Act act) {
  std::unique_ptr<SshConnection> none;
  if (!host_.path.empty()) {
    net::Address address = socket_at(host_.path);
    try {
      return act(plain(net::connect(address, deadline), name_), none);
    } catch (const Error& error) {
      if (!answered_ && error.kind() == Error::missing) throw nobody(host_);
      throw;
    }
  }
  if (host_.tls) return act(over_tls(host_, deadline), none);
  auto ssh = std::make_unique<SshConnection>(host_, environment());
  try {
    return act(plain(ssh->take_socket(), name_), ssh);
  } catch (const Error& error) {
    if (!no_connection(error)) throw;
    throw ssh->explain(error);
  }
}

/// What every request bears: the version, and through TLS the token.
void Server::sign(net::ClientRequest& request) const {
  request.headers.emplace_back(wire::kClientHeader, wire::build().version);
  if (host_.tls) request.headers.emplace_back("Authorization", fmt::format("Bearer {}", api_token().view()));
}

net::ClientResponse Server::call(net::ClientRequest request, Deadline deadline, bool repeatable) {
  sign(request);
  std::optional<Deadline> patience;
  for (;;) {
    try {
      net::ClientResponse response = connected(deadline, [&](net::Connected connection, auto&) {
        return net::fetch(std::move(connection), request, deadline);
      });
      answered_ = true;
      check_server(response);
      return response;
    } catch (const Error& error) {
      if (!no_connection(error)) throw;
      // An answer that was cut may have been acted on; a refused connection was not.
      bool safe = repeatable || error.kind() == Error::missing;
      if (!patience) patience = Deadline::after(kPatience);
      if (!answered_ || !safe || patience->passed()) throw;
    }
    std::this_thread::sleep_for(kAskAgain);
  }
}

Json Server::get(const std::string& target) {
  return parsed(call({.method = "GET", .target = target}, Deadline::after(kCallTimeout), true));
}

std::optional<Json> Server::find(const std::string& target) {
  net::ClientResponse response =
      call({.method = "GET", .target = target}, Deadline::after(kCallTimeout), true);
  if (response.status == 404) return std::nullopt;
  return parsed(response);
}

Json Server::post(const std::string& target, const Json& body, const std::string& idempotency_key) {
  net::ClientRequest request{.method = "POST", .target = target, .body = body.print()};
  request.headers.emplace_back("Content-Type", "application/json");
  if (!idempotency_key.empty()) request.headers.emplace_back("Idempotency-Key", idempotency_key);
  return parsed(call(std::move(request), Deadline::after(kCallTimeout), !idempotency_key.empty()));
}

Json Server::remove(const std::string& target, Deadline deadline) {
  return parsed(call({.method = "DELETE", .target = target}, deadline, true));
}

Json Server::put_file(const std::string& target, int file) {
  net::ClientRequest request{.method = "PUT", .target = target};
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  request.body_file = file;
  return parsed(call(std::move(request), Deadline::never(), true));
}

net::UpgradeAnswer Server::upgrade(const std::string& target, const Json& body, std::string_view protocol) {
  net::ClientRequest request{.method = "POST", .target = target, .body = body.print()};
  sign(request);
  request.headers.emplace_back("Content-Type", "application/json");
  request.upgrade = protocol;
  const Deadline deadline = Deadline::after(kCallTimeout);
  net::UpgradeAnswer answer =
      connected(deadline, [&](net::Connected connection, std::unique_ptr<SshConnection>& ssh) {
        net::UpgradeAnswer upgraded = net::upgrade(std::move(connection), request, deadline);
        if (ssh && upgraded.bytes) upgraded_.lock()->push_back(std::move(ssh));
        return upgraded;
      });
  answered_ = true;
  check_server(answer.response);
  if (!answer.bytes) throw_answer(answer.response);
  return answer;
}

std::optional<net::ClientResponse> Server::stream(const net::ClientRequest& request, bool resume,
                                                  Patience& patience, EventReader& reader) {
  try {
    return connected(Deadline::never(), [&](net::Connected connection, auto&) {
      return net::stream(std::move(connection), request, Deadline::never(), [&](std::string_view bytes) {
        answered_ = true;
        patience.reset();
        return reader.feed(bytes);
      });
    });
  } catch (const Error& error) {
    if (!no_connection(error)) throw;
    if (!answered_ && error.kind() == Error::missing) throw;
    if (!resume) throw;
    if (!patience) patience = Deadline::after(kPatience);
    if (patience->passed()) throw;
    return std::nullopt;
  }
}

void Server::events(const std::string& method, const std::function<std::string()>& target, bool resume,
                    const std::function<bool(const Event&)>& each) {
  EventReader reader(each);
  Patience patience;
  for (;;) {
    net::ClientRequest request{.method = method, .target = target()};
    sign(request);
    request.headers.emplace_back("Accept", "text/event-stream");
    if (!reader.last_id().empty()) request.headers.emplace_back("Last-Event-ID", reader.last_id());
    std::optional<net::ClientResponse> response = stream(request, resume, patience, reader);
    if (reader.satisfied()) return;
    if (response) {
      answered_ = true;
      check_server(*response);
      if (response->status < 200 || response->status > 299) throw_answer(*response);
      if (!resume) return;
    }
    reader.begin_again();
    std::this_thread::sleep_for(kAskAgain);
  }
}

Server server_of(const Globals& globals) { return Server(only_host(hosts_of(globals))); }

const app::Host& only_host(const std::vector<app::Host>& hosts) {
  if (hosts.size() == 1) return hosts.front();
  std::string names;
  for (const app::Host& host : hosts) names += "\n  -H " + app::text(host);
  throw Error(Error::invalid,
              fmt::format("this acts on one server, and there are several: name it{}", names));
}

std::deque<Server> servers_at(const std::vector<app::Host>& hosts) {
  std::deque<Server> servers;
  for (const app::Host& host : hosts) servers.emplace_back(host);
  return servers;
}

int on_each(std::deque<Server>& servers, const Terminal& out, const std::function<void(Server&)>& act) {
  if (servers.size() == 1) return act(servers.front()), 0;
  int code = 0;
  for (Server& server : servers) {
    if (&server != &servers.front()) out.line("");
    out.line(out.paint(Colour::bold, server.name()));
    try {
      act(server);
    } catch (const Error& error) {
      out.line(out.paint(Colour::red, "error: ") + error.what());
      code = exit_code(Error::failed);
    }
    std::fflush(stdout);  // before the next one's name
  }
  return code;
}

Json ask_each(std::deque<Server>& servers, const std::function<Json(Server&)>& ask) {
  if (servers.size() == 1) return ask(servers.front());
  Json hosts = Json::array();
  for (Server& server : servers) {
    const Json told = ask(server);
    Json answer = Json::object({{"host", server.name()}});
    for (const auto& [name, value] : told.members()) answer[name] = value;
    hosts.add(std::move(answer));
  }
  return Json::object({{"hosts", std::move(hosts)}});
}

}  // namespace holdall::cli
