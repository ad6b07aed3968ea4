#include "api/api.h"

#include <doctest/doctest.h>

#include <set>

#include "api/world_test.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"

using namespace holdall;
using namespace holdall::api;

namespace {

std::string error_kind(const net::ClientResponse& response) {
  return Json::parse(response.body).at("error").at("kind").string();
}

/// The archive of a directory with one file, and its digest.
struct Source {
  explicit Source(const World& world) {
    std::filesystem::create_directory(world.state.path / "source");
    write_file_atomic(world.state.path / "source/app.py", "print('hello')\n");
    wire::PackedTree tree = wire::pack_tree(world.state.path / "source", {"app.py"});
    digest = tree.digest.value;
    bytes.resize(tree.bytes);
    REQUIRE(pread(tree.file.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  std::string digest, bytes;
};

net::ClientResponse put(World& world, const std::string& target, const std::string& bytes) {
  return net::fetch(world.server->address(), {.method = "PUT", .target = target, .body = bytes},
                    Deadline::after(std::chrono::seconds(20)));
}

}  // namespace

TEST_CASE("a deploy is answered with its release, and its events end with done") {
  World world;
  net::ClientResponse begun = world.call("POST", "/v1/apps/hello/releases", world.hello("grey"));
  CHECK(begun.status == 201);
  const Json release = Json::parse(begun.body).at("release");
  CHECK(release.at("number").integer() == 1);
  CHECK(release.at("commit").string() == "4f2a91c");
  CHECK(release.at("by").string().starts_with("uid " + std::to_string(geteuid())));
  auto events = world.events("/v1/apps/hello/releases/v1/events");
  CHECK(events.front().name == "plan");
  CHECK(events.back().name == "done");
  CHECK(world.get("/v1/apps/hello/status").at("serving").at("release").string() == "v1");
}

TEST_CASE("events go on after the last one that a client has seen") {
  World world;
  world.run("grey");
  auto all = world.events("/v1/apps/hello/releases/1/events");
  auto rest = world.events("/v1/apps/hello/releases/1/events", all[1].id);
  REQUIRE(rest.size() == all.size() - 2);
  CHECK(rest.front().id == all[2].id);
}

TEST_CASE(
    "events of an app are those of its instances and of all its releases, from an instant or an id on") {
  World world;
  world.run("grey");
  world.database->write([&](store::Transaction& t) {
    t.execute(
        "insert into instance_events (app_id, at, group_id, service, slot, instance, action, reason) "
        "values ('hello', ?, 'hello/web@v1', 'web', 1, 'abc', 'exit', 'exited with code 3')",
        {nanoseconds(world.clock.wall())});
  });
  world.clock.advance(std::chrono::seconds(5));
  const std::int64_t later = nanoseconds(world.clock.wall());
  world.run("green");
  const std::string target = "/v1/apps/hello/events?follow=0";
  auto all = world.events(target + "&since_ns=0");
  std::set<std::string> told;
  for (const auto& event : all) {
    const Json data = Json::parse(event.data);
    told.insert(data.at("type").string() + " " + data.at("action").string() + " " +
                data.string_or("release", data.string_or("reason", "")));
  }
  CHECK(told.contains("release live v1"));
  CHECK(told.contains("release done v2"));
  CHECK(told.contains("instance exit exited with code 3"));
  for (const auto& event : world.events(target + "&since_ns=" + std::to_string(later)))
    CHECK(Json::parse(event.data).string_or("release", "") == "v2");
  auto rest = world.events(target, all[2].id);
  REQUIRE(rest.size() == all.size() - 3);
  CHECK(rest.front().id == all[3].id);
}

TEST_CASE("where there are no events yet, a stream tells where it begins") {
  World world;
  world.run("grey");
  world.clock.advance(std::chrono::seconds(5));
  auto begun = world.events("/v1/apps/hello/events?follow=0");
  REQUIRE(begun.size() == 1);
  CHECK(begun[0].name == "begin");
  world.run("green");
  auto rest = world.events("/v1/apps/hello/events?follow=0", begun[0].id);
  REQUIRE(rest.size() > 1);
  CHECK(Json::parse(rest.front().data).at("release").string() == "v2");
  CHECK(world.call("GET", "/v1/apps/none/events").status == 404);
  CHECK(world.call("GET", "/v1/apps/hello/events", {}, {{"Last-Event-ID", "1.2"}}).status == 400);
  CHECK(world.call("GET", "/v1/apps/hello/events?since_ns=now").status == 400);
}

TEST_CASE("the same idempotency key gives the same release") {
  World world;
  auto once = world.call("POST", "/v1/apps/hello/releases", world.hello("grey"), {{"Idempotency-Key", "k1"}});
  auto again =
      world.call("POST", "/v1/apps/hello/releases", world.hello("grey"), {{"Idempotency-Key", "k1"}});
  CHECK(Json::parse(again.body).at("release").at("number").integer() ==
        Json::parse(once.body).at("release").at("number").integer());
}

TEST_CASE("a deploy that changes nothing is answered so") {
  World world;
  world.run("grey");
  net::ClientResponse again = world.call("POST", "/v1/apps/hello/releases", world.hello("grey"));
  CHECK(again.status == 200);
  CHECK(Json::parse(again.body).at("unchanged").boolean());
}

TEST_CASE("a second deploy meanwhile is a conflict, and cancel ends the first") {
  World world;
  world.supervisor.begins("web", supervise::Health::starting);
  CHECK(world.call("POST", "/v1/apps/hello/releases", world.hello("grey")).status == 201);
  net::ClientResponse second = world.call("POST", "/v1/apps/hello/releases", world.hello("green"));
  CHECK(second.status == 409);
  CHECK(error_kind(second) == "conflict");
  CHECK(world.call("POST", "/v1/apps/hello/cancel").status == 200);
  CHECK(world.events("/v1/apps/hello/releases/1/events").back().name == "failed");
}

TEST_CASE("a rollback and the list of releases") {
  World world;
  world.run("grey");
  world.run("green");
  net::ClientResponse back = world.call("POST", "/v1/apps/hello/rollback", Json::object({{"to", 1}}));
  CHECK(back.status == 201);
  CHECK(world.events("/v1/apps/hello/releases/3/events").back().name == "done");
  const Json list = world.get("/v1/apps/hello/releases");
  const Json::Array& releases = list.at("releases").items();
  REQUIRE(releases.size() == 3);
  CHECK(releases[0].at("rollback_of").string() == "v1");
  CHECK(releases[0].at("serving").boolean());
  CHECK(world.get("/v1/apps/hello/releases/v2").at("model").at("name").string() == "hello");
}

TEST_CASE("instances are told with their release, health and command") {
  World world;
  world.run("grey");
  const Json status = world.get("/v1/apps/hello/status");
  REQUIRE(status.at("instances").items().size() == 1);
  wire::Instance instance = wire::parse_instance(status.at("instances").items()[0]);
  CHECK(instance.service == "web");
  CHECK(instance.release == "v1");
  CHECK(instance.health == "ready");
  CHECK(instance.command == "serve");
  const Json apps = world.get("/v1/apps");
  CHECK(apps.at("apps").items().at(0).at("ready").integer() == 1);
}

TEST_CASE("a destroyed app is gone, with what its instances said") {
  World world;
  world.run("grey");
  std::filesystem::create_directories(world.state.path / "logs/hello/web.1");
  CHECK(world.call("DELETE", "/v1/apps/hello").status == 200);
  CHECK(world.get("/v1/apps").at("apps").items().empty());
  CHECK_FALSE(std::filesystem::exists(world.state.path / "logs/hello"));
  CHECK(world.call("GET", "/v1/apps/hello/status").status == 404);
}

TEST_CASE("a source is asked for by digest, sent once, and known afterwards by its build too") {
  World world;
  Source source(world);
  std::string target = "/v1/sources/" + source.digest + "?build=%5B%22make%22%5D";
  CHECK(world.call("GET", target).status == 404);
  net::ClientResponse sent = put(world, target, source.bytes);
  REQUIRE_MESSAGE(sent.status == 200, sent.body);
  std::string artefact = Json::parse(sent.body).at("artefact").string();
  CHECK(world.get(target).at("artefact").string() == artefact);
  CHECK(world.call("GET", "/v1/sources/" + source.digest).status == 404);
  CHECK(std::filesystem::is_empty(world.state.path / "uploads"));
}

TEST_CASE("a source that the engine has forgotten is asked for again") {
  World world;
  Source source(world);
  put(world, "/v1/sources/" + source.digest, source.bytes);
  world.engine.keep_artefacts({});
  CHECK(world.call("GET", "/v1/sources/" + source.digest).status == 404);
}

TEST_CASE("an archive that is not what its digest says makes no artefact") {
  World world;
  Source source(world);
  net::ClientResponse sent = put(world, "/v1/sources/" + sha256("another").value, source.bytes);
  CHECK(sent.status == 400);
  CHECK(error_kind(sent) == "invalid");
  CHECK(put(world, "/v1/sources/" + source.digest, source.bytes.substr(0, 20)).status == 400);
  CHECK(std::filesystem::is_empty(world.state.path / "uploads"));
}

TEST_CASE("what is asked wrongly is answered with what is wrong") {
  World world;
  world.run("grey");
  CHECK(world.call("GET", "/v1/apps/nobody/status").status == 404);
  CHECK(world.call("GET", "/v1/apps/hello/releases/9").status == 404);
  CHECK(world.call("GET", "/v1/apps/hello/releases/x").status == 400);
  CHECK(world.call("GET", "/v1/sources/sha256:00").status == 400);
  CHECK(world.call("GET", "/v1/apps/hello/logs?tail=-1").status == 400);
  const net::ClientResponse logs = world.call("GET", "/v1/apps/hello/logs?follow=1&service=wbe");
  CHECK(logs.status == 404);
  CHECK(logs.body.contains("hello has no service 'wbe'; it has: web"));
  CHECK(world.call("POST", "/v1/apps/hello/exec", Json::parse(R"({"service": "wbe", "command": ["sh"]})"))
            .body == logs.body);
  CHECK(world.call("POST", "/v1/apps/other/releases", world.hello("grey")).status == 400);
  CHECK(world.call("POST", "/v1/session").status == 400);
}

TEST_CASE("every answer names the server's version, and a client of another API is refused with the remedy") {
  World world;
  CHECK(world.call("GET", "/v1/server").header(wire::kServerHeader) == wire::build().version);
  net::ClientResponse refused = world.call("GET", "/v1/server", {}, {{"Holdall-Client", "9.0.0"}});
  CHECK(refused.status == 400);
  CHECK(Json::parse(refused.body).at("error").at("message").string().find("install holdall") !=
        std::string::npos);
}

TEST_CASE("health answers") {
  World world;
  CHECK(world.call("GET", "/__lbheartbeat__").status == 200);
  CHECK(world.get("/__heartbeat__").at("checks").at("database").string() == "ok");
  CHECK(world.get("/__version__").at("version").string() == wire::build().version);
}
