#include <algorithm>

#include "api/world_test.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"

using namespace holdall;
using namespace holdall::api;

namespace {

/// A world in which the test is any caller it wants to be: it calls what answers the routes.
struct Callers : World {
  Callers() {
    run("grey");
    for (Right role : {Right::read, Right::run, Right::deploy, Right::admin}) {
      add(std::string(name(role)), role, {});
      add(std::string(name(role)) + "-of-store", role, {"store"});
      add(std::string(name(role)) + "-of-hello", role, {"hello"});
    }
  }

  void add(const std::string& who, Right role, const std::vector<std::string>& apps) {
    Json listed = Json::array();
    for (const std::string& app : apps) listed.add(app);
    net::ClientResponse response = call(
        "POST", "/v1/access",
        Json::object({{"name", who}, {"role", std::string(name(role))}, {"apps", listed}, {"token", true}}));
    REQUIRE_MESSAGE(response.status == 201, response.body);
    tokens[who] = Json::parse(response.body).at("token").string();
  }

  const net::Route& route(const RouteRight& right) {
    auto found = std::ranges::find_if(routes, [&](const net::Route& row) {
      return row.method == right.method && row.pattern == right.pattern;
    });
    REQUIRE(found != routes.end());
    return *found;
  }

  /// The same call of every route: about hello, its first release.
  net::Request request(const RouteRight& right) {
    net::Request out;
    out.method = right.method;
    for (std::size_t at = 0; at < right.pattern.size(); ++at) {
      if (right.pattern[at] != '*') {
        out.path += right.pattern[at];
        continue;
      }
      out.parameters.push_back(out.parameters.empty() ? "hello" : "1");
      out.path += out.parameters.back();
    }
    return out;
  }

  net::Request with_token(const RouteRight& right, const std::string& who) {
    net::Request out = request(right);
    out.listener = kTlsListener;
    out.remote = "203.0.113.9";
    auto token = tokens.find(who);
    if (token != tokens.end()) out.headers.emplace_back("Authorization", "Bearer " + token->second);
    return out;
  }

  /// The newest call in the record.
  Json recorded() { return get("/v1/access/log?n=1").at("calls").items().at(0); }

  void expect_denied(const RouteRight& right, net::Request request, const std::string& who) {
    CAPTURE(right.method);
    CAPTURE(right.pattern);
    CAPTURE(who);
    clock.advance(std::chrono::seconds(2));  // those whom nobody knows are written down once a second
    const net::Route& row = route(right);
    CHECK_FALSE(row.admits(request));
    std::string path = request.path;
    net::Response response = row.handler(request);
    CHECK(response.status == 403);
    CHECK_FALSE(response.stream);
    const Json last = recorded();
    CHECK(last.at("who").string() == who);
    CHECK(last.at("method").string() == right.method);
    CHECK(last.at("path").string() == path);
    CHECK(last.at("denied").boolean());
    CHECK(last.at("status").integer() == 403);
    if (right.scope == Scope::app) CHECK(last.at("app").string() == "hello");
  }

  std::vector<net::Route> routes = api->routes();
  std::map<std::string, std::string> tokens;
};

}  // namespace

TEST_CASE("every route of the API but Dockerflow's has a row of rights") {
  World world;
  std::vector<RouteRight> rights = Api::rights();
  for (const net::Route& route : world.api->routes()) {
    if (route.pattern.starts_with("/__")) continue;
    CAPTURE(route.pattern);
    CHECK(route.admits);
    CHECK(std::ranges::any_of(rights, [&](const RouteRight& row) {
      return row.method == route.method && row.pattern == route.pattern;
    }));
  }
}

TEST_CASE("without a right every route is denied, and it is recorded") {
  Callers world;
  for (const RouteRight& right : Api::rights()) {
    world.expect_denied(right, world.with_token(right, "nobody at all"), "nobody (203.0.113.9)");
    net::Request stranger = world.request(right);
    stranger.listener = kPeopleListener;
    stranger.introduced = "admin";  // a name that has a token, and no key
    world.expect_denied(right, std::move(stranger), "nobody");
  }
}

TEST_CASE("with too little right every route that changes something is denied, and it is recorded") {
  Callers world;
  for (const RouteRight& right : Api::rights()) {
    for (Right less : {Right::read, Right::run, Right::deploy}) {
      if (less >= right.right) continue;
      std::string who(name(less));
      world.expect_denied(right, world.with_token(right, who), who);
      if (right.scope == Scope::server) continue;
      world.expect_denied(right, world.with_token(right, who + "-of-hello"), who + "-of-hello");
    }
  }
}

TEST_CASE("with another app's right every route about an app or the server is denied, and it is recorded") {
  Callers world;
  for (const RouteRight& right : Api::rights()) {
    if (right.scope == Scope::any) continue;
    for (const char* who : {"read-of-store", "run-of-store", "deploy-of-store", "admin-of-store"}) {
      world.expect_denied(right, world.with_token(right, who), who);
    }
  }
}

TEST_CASE("a member of another group is denied every route on the local socket, and it is recorded") {
  Callers world;
  for (const RouteRight& right : Api::rights()) {
    net::Request stranger = world.request(right);
    stranger.peer = {.uid = 4'000'000, .gid = 4'000'000, .pid = 1};
    const net::Route& row = world.route(right);
    CHECK(row.handler(stranger).status == 403);
    CHECK(world.recorded().at("who").string() == "uid 4000000");
  }
}

TEST_CASE("with the right a call is not denied, and a change is recorded with who asked for it") {
  Callers world;
  for (const RouteRight& right : Api::rights()) {
    if (right.pattern == "/v1/apps/*" || right.scope != Scope::app) continue;
    CAPTURE(right.method);
    CAPTURE(right.pattern);
    std::string who = std::string(name(right.right)) + "-of-hello";
    net::Request request = world.with_token(right, who);
    CHECK(world.route(right).admits(request));
    CHECK(world.route(right).handler(request).status != 403);
    if (right.right == Right::read) continue;
    CHECK(world.recorded().at("who").string() == who);
    CHECK_FALSE(world.recorded().at("denied").boolean());
  }
}

TEST_CASE("a change is recorded with its result, and a look is not") {
  Callers world;
  world.call("POST", "/v1/apps/hello/cancel");
  const Json change = world.recorded();
  CHECK(change.at("path").string() == "/v1/apps/hello/cancel");
  CHECK(change.at("app").string() == "hello");
  CHECK(change.at("status").integer() == 404);
  CHECK(change.at("who").string().starts_with("uid " + std::to_string(geteuid())));
  world.get("/v1/apps");
  CHECK(world.recorded().at("path").string() == "/v1/apps/hello/cancel");
}

TEST_CASE("the list of apps shows those that are the caller's") {
  Callers world;
  auto shown = [&](const std::string& who) {
    net::Request request = world.with_token({"GET", "/v1/apps", Right::read, Scope::any}, who);
    net::Response response = world.route({"GET", "/v1/apps", Right::read, Scope::any}).handler(request);
    return Json::parse(response.body).at("apps").items().size();
  };
  CHECK(shown("read") == 1);
  CHECK(shown("read-of-hello") == 1);
  CHECK(shown("admin-of-store") == 0);
}

TEST_CASE("who administers some apps sees in the record what was done to those") {
  Callers world;
  RouteRight log{"GET", "/v1/access/log", Right::admin, Scope::any};
  auto calls = [&](const std::string& who, const std::string& query) {
    net::Request request = world.with_token(log, who);
    request.query = query;
    return world.route(log).handler(request);
  };
  CHECK(Json::parse(calls("admin-of-store", "").body).at("calls").items().empty());
  const Json own = Json::parse(calls("admin-of-hello", "").body);
  CHECK(own.at("calls").items().size() == 1);  // the deploy
  CHECK(calls("admin-of-store", "app=hello").status == 403);
}

TEST_CASE("the record names the program that a call was to start, and none of its arguments") {
  World world;
  world.run("grey");
  world.call("POST", "/v1/apps/hello/exec",
             Json::parse(R"({"service": "web", "command": ["psql", "--password=hunter2"]})"));
  const std::string record = world.call("GET", "/v1/access/log").body;
  CHECK(record.contains(R"("program":"psql")"));
  CHECK_FALSE(record.contains("hunter2"));
}

TEST_CASE("who may act for some apps finds and names what was sent for these, though others have the same") {
  Callers world;
  std::filesystem::create_directory(world.state.path / "source");
  write_file_atomic(world.state.path / "source/app.py", "print('hello')\n");
  wire::PackedTree tree = wire::pack_tree(world.state.path / "source", {"app.py"});
  std::string bytes(tree.bytes, '\0');
  REQUIRE(pread(tree.file.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  auto source = [&](const std::string& method, const std::string& who, const std::string& app) {
    RouteRight right{method, "/v1/sources/*", Right::read, Scope::any};
    net::Request request = world.with_token(right, who);
    request.parameters = {tree.digest.value};
    request.query = "app=" + app;
    if (method == "PUT") request.body = bytes;
    return world.route(right).handler(request);
  };
  net::Response sent = source("PUT", "deploy-of-hello", "hello");
  REQUIRE_MESSAGE(sent.status == 200, sent.body);
  std::string artefact = Json::parse(sent.body).at("artefact").string();
  CHECK(source("GET", "read-of-hello", "hello").status == 200);
  CHECK(source("GET", "read", "").status == 200);
  CHECK(source("GET", "read-of-store", "hello").status == 403);
  CHECK(source("GET", "read-of-store", "").status == 403);
  CHECK(source("GET", "deploy-of-store", "store").status == 404);

  Json body = world.hello("blue");
  body["model"]["name"] = "store";
  body["artefacts"] = Json::object({{"web", artefact}});
  for (const char* path : {"plan", "releases"}) {
    RouteRight right{"POST", std::string("/v1/apps/*/") + path, Right::deploy, Scope::app};
    net::Request request = world.with_token(right, "deploy-of-store");
    request.parameters = {"store"};
    request.body = body.print();
    net::Response refused = world.route(right).handler(request);
    CHECK(refused.status == 403);
    CHECK(refused.body.find("was not sent for store") != std::string::npos);
  }
  // Who sends the same bytes has had them.
  CHECK(source("PUT", "deploy-of-store", "store").status == 200);
  CHECK(source("GET", "deploy-of-store", "store").status == 200);
}

TEST_CASE("a token is told once, and the rows hold its digest") {
  Callers world;
  std::string token = world.tokens.at("admin");
  CHECK(token.starts_with("hld_"));
  CHECK(world.call("GET", "/v1/access").body.find(token) == std::string::npos);
  bool found = false;
  world.database->read([&](store::Transaction& t) {
    t.query("select name from people where token = ?", {sha256(token).value},
            [&](const store::Row& row) { found = row.text(0) == "admin"; });
  });
  CHECK(found);
}

TEST_CASE("names, roles and spans that cannot be are refused") {
  World world;
  auto add = [&](const Json& body) { return world.call("POST", "/v1/access", body).status; };
  CHECK(add(Json::object({{"name", "a b"}, {"role", "read"}, {"token", true}})) == 400);
  CHECK(add(Json::object({{"name", "--as"}, {"role", "read"}, {"token", true}})) == 400);
  CHECK(add(Json::object({{"name", "a\"b"}, {"role", "read"}, {"token", true}})) == 400);
  CHECK(add(Json::object({{"name", "alice"}, {"role", "root"}, {"token", true}})) == 400);
  CHECK(add(Json::object({{"name", "alice"}, {"role", "read"}, {"token", true}, {"expires_s", -1}})) == 400);
  CHECK(add(Json::object({{"name", "alice"}, {"role", "read"}})) == 400);
  CHECK(add(Json::object({{"name", "alice"}, {"role", "read"}, {"token", true}})) == 201);
  CHECK(add(Json::object({{"name", "alice"}, {"role", "admin"}, {"token", true}})) == 409);
  CHECK(world.call("DELETE", "/v1/access/alice").status == 200);
  CHECK(world.call("DELETE", "/v1/access/alice").status == 404);
}

TEST_CASE("a flood of denials is one row of each caller, and pushes out no change") {
  Callers world;
  RouteRight right{"DELETE", "/v1/apps/*", Right::admin, Scope::app};
  for (int i = 0; i < 20; ++i) {
    net::Request request = world.with_token(right, "read");
    world.route(right).handler(request);
  }
  CHECK(world.recorded().at("count").integer() == 20);
  for (int i = 0; i < 20; ++i) {
    net::Request request = world.with_token(right, "nobody at all");
    world.route(right).handler(request);
  }
  CHECK(world.recorded().at("count").integer() == 1);
}
