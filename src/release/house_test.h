#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fake.h"
#include "engine/fake.h"
#include "release/release.h"
#include "router/fake.h"
#include "schema/schema.h"
#include "store/store.h"
#include "supervise/fake.h"

namespace holdall::release {

/// A control plane with nothing real but its database in memory. `restart` is a crash of control: all else
/// lives on.
struct House {
  FakeClock clock;
  std::unique_ptr<store::Database> database = store::open_sqlite(":memory:");
  engine::FakeEngine engine{clock};
  supervise::FakeSupervisor supervisor{clock};
  router::FakeRouter fake_router;
  router::Router* router = &fake_router;  ///< another one may stand in its place before `restart`
  ReleasesOptions options;
  std::unique_ptr<Releases> releases;

  House() {
    database->migrate(schema());
    options.http = {"127.0.0.1", 8080, {}};
    restart();
  }

  void restart() {
    releases.reset();
    releases = std::make_unique<Releases>(*database, engine, supervisor, *router, clock, options);
  }

  Digest artefact(const std::string& content) { return engine.prepare(content, {}, Deadline::never()); }

  /// `services` is JSON without its outer braces; every service runs from the artefact of its name.
  Request request(const std::string& services, const std::string& app = "hello") {
    Request request;
    request.model = Json::parse(R"({"name": ")" + app + R"(", "services": {)" + services + "}}");
    for (const auto& [service, model] : request.model.at("services").members()) {
      request.artefacts[service] = artefact(service);
    }
    request.by = "uid 0 (root)";
    return request;
  }

  /// hello, one service `web` behind hello.localhost.
  Request web(const std::string& mood, int replicas = 1, const std::string& monitor = "0s") {
    Request wanted = request(R"("web": {"command": ["serve"], "environment": {"MOOD": ")" + mood +
                             R"("}, "deploy": {"replicas": )" + std::to_string(replicas) +
                             R"(, "update_config": {"monitor": ")" + monitor +
                             R"("}}, "x-holdall": {"route": "hello.localhost"}})");
    wanted.places["services.web.environment.MOOD"] = "compose.yaml:14";
    return wanted;
  }

  int deploy(const Request& wanted) {
    const auto release = releases->deploy(wanted);
    REQUIRE(release.has_value());
    return release->number;
  }

  /// The events up to the first of `kind`, or to the end.
  std::vector<Event> follow_to(int number, const std::string& kind, const std::string& app = "hello") {
    std::vector<Event> all;
    for (;;) {
      // Long enough for a machine under load; a test that waits so long has failed.
      const auto more =
          releases->follow(app, number, std::ssize(all), Deadline::after(std::chrono::seconds(20)));
      REQUIRE_MESSAGE(!more.empty(), "no event after " << (all.empty() ? "none" : all.back().kind));
      for (const Event& event : more) {
        all.push_back(event);
        if (event.kind == kind || event.kind == "done" || event.kind == "failed") return all;
      }
    }
  }

  /// A release of `web` that is in its watch, of ten seconds: its number.
  int deploy_to_watch(const std::string& mood) {
    const int number = deploy(web(mood, 1, "10s"));
    follow_to(number, "watch");
    return number;
  }

  Release finish(int number, const std::string& app = "hello") {
    follow_to(number, "done", app);
    return releases->get(app, number);
  }

  Release run(const Request& wanted) { return finish(deploy(wanted)); }

  /// "hello/web: hello/web@v1#1 ..." of each pool in the newest table.
  std::vector<std::string> targets(const std::string& pool = "hello/web") {
    std::vector<std::string> ids;
    for (const router::Pool& one : fake_router.last_table().pools) {
      if (one.name != pool) continue;
      for (const router::Target& target : one.targets) ids.push_back(target.id.value);
    }
    return ids;
  }

  std::vector<std::string> wanted() {
    std::vector<std::string> ids;
    for (const supervise::Group& group : supervisor.wanted()) ids.push_back(group.id.value);
    return ids;
  }
};

inline std::vector<std::string> kinds(const std::vector<Event>& events) {
  std::vector<std::string> all;
  for (const Event& event : events) all.push_back(event.kind);
  return all;
}

using Strings = std::vector<std::string>;

}  // namespace holdall::release
