#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/api.h"
#include "base/fake.h"
#include "engine/fake.h"
#include "net/client.h"
#include "net/fake.h"
#include "net/sse.h"
#include "router/fake.h"
#include "schema/schema.h"
#include "store/store.h"
#include "supervise/fake.h"
#include "wire/wire.h"

namespace holdall::api {

/// A flag that a test waits for.
class Signal {
 public:
  void set() {
    std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  /// False when it has not come in a time that only a fault explains.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return set_; });
  }
  bool is_set() {
    std::lock_guard lock(mutex_);
    return set_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

/// The API over a control plane with nothing real but its database and its socket.
struct World {
  explicit World(bool is_private = false) {
    database->migrate(schema());
    release::ReleasesOptions options;
    options.http = {"127.0.0.1", 8080, {}};
    releases = std::make_unique<release::Releases>(*database, engine, supervisor, router, clock, options);
    api = std::make_unique<Api>(Parts{*releases, engine, supervisor, *database, clock, keys},
                                Options{.state = state.path,
                                        .http = {"127.0.0.1", 8080, {}},
                                        .owner = geteuid(),
                                        .is_private = is_private,
                                        .exit = [this] { exited.set(); }});
    server = std::make_unique<net::ServerThread>(api->routes());
  }
  ~World() {
    api->stop();
    server.reset();
    api.reset();
  }

  net::ClientResponse call(const std::string& method, const std::string& target, const Json& body = {},
                           std::vector<std::pair<std::string, std::string>> headers = {}) {
    net::ClientRequest request{.method = method, .target = target, .headers = std::move(headers)};
    if (!body.is_null()) request.body = body.print();
    return net::fetch(server->address(), request, Deadline::after(std::chrono::seconds(20)));
  }

  Json get(const std::string& target) {
    net::ClientResponse response = call("GET", target);
    REQUIRE_MESSAGE(response.status == 200, response.body);
    return Json::parse(response.body);
  }

  /// Every event of a stream that ends.
  std::vector<net::SseParser::Event> events(const std::string& target, const std::string& last_id = "") {
    net::ClientRequest request{.target = target};
    if (!last_id.empty()) request.headers.emplace_back("Last-Event-ID", last_id);
    net::ClientResponse response =
        net::fetch(server->address(), request, Deadline::after(std::chrono::seconds(20)));
    REQUIRE_MESSAGE(response.status == 200, response.body);
    net::SseParser parser;
    return parser.feed(response.body);
  }

  /// The body of a deploy: hello, a service `web` with this mood, no watch.
  Json hello(const std::string& mood) {
    Json model = Json::parse(
        R"({"name": "hello", "services": {"web": {"command": ["serve"], "environment": {"MOOD": ")" + mood +
        R"("}, "deploy": {"update_config": {"monitor": "0s"}},
                             "x-holdall": {"route": "hello.localhost"}}}})");
    Digest artefact = engine.prepare("web", {}, Deadline::never());
    return wire::to_json(wire::DeployRequest{
        .model = model, .artefacts = {{"web", artefact.value}}, .places = {}, .commit = "4f2a91c"});
  }

  /// Deploys it and waits for its end.
  void run(const std::string& mood) {
    net::ClientResponse begun = call("POST", "/v1/apps/hello/releases", hello(mood));
    REQUIRE_MESSAGE(begun.status == 201, begun.body);
    std::int64_t number = Json::parse(begun.body).at("release").at("number").integer();
    REQUIRE(events("/v1/apps/hello/releases/" + std::to_string(number) + "/events").back().name == "done");
  }

  TemporaryDirectory state;
  KeyDirectory keys{state.path / "keys"};
  FakeClock clock;
  std::unique_ptr<store::Database> database = store::open_sqlite(":memory:");
  engine::FakeEngine engine{clock};
  supervise::FakeSupervisor supervisor{clock};
  router::FakeRouter router;
  std::unique_ptr<release::Releases> releases;
  Signal exited;
  std::unique_ptr<Api> api;
  std::unique_ptr<net::ServerThread> server;
};

}  // namespace holdall::api
