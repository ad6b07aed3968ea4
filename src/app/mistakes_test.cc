#include "app/mistakes.h"

#include <doctest/doctest.h>

#include <string>

using namespace holdall;
using namespace holdall::app;

namespace {

/// "always services.web.restart ..." of each mistake in the services, which stand in lines of their own.
std::vector<std::string> told(const char* services, const VariableUse& use = {}) {
  const Json model = Json::object({{"services", Json::parse(services)}});
  std::vector<std::string> lines;
  for (const Mistake& each :
       mistakes(model, use, [](const std::string& path) { return Where{path, 0, 0}; })) {
    const char* occasion = each.occasion == Occasion::always    ? "always "
                           : each.occasion == Occasion::release ? "release "
                                                                : "check ";
    CHECK(!each.problem.hint.empty());
    lines.push_back(occasion + each.problem.what);
  }
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "a database's own port on every address is told of a release, on this machine's own address it is not") {
  CHECK(
      told(
          R"({"db": {"image": "registry:5000/x/postgres:16", "ports": [{"target": 5432, "published": "5432"}],
                        "volumes": [{"type": "volume", "target": "/var/lib/postgresql/data"}]}})") ==
      Lines{"release services.db.ports.0 publishes postgres's port 5432 on every address of the server"});
  CHECK(
      told(
          R"({"db": {"image": "redis:7", "ports": [{"target": 6379, "published": "1", "host_ip": "0.0.0.0"}]}})")
          .size() == 1);
  CHECK(
      told(
          R"({"a": {"image": "redis:7", "ports": [{"target": 6379, "published": "1", "host_ip": "127.0.0.1"}]},
                 "b": {"image": "redis:7", "ports": [{"target": 6379}]},
                 "c": {"image": "redis:7", "ports": [{"target": 8001, "published": "8001"}]},
                 "d": {"image": "shop:7", "ports": [{"target": 6379, "published": "6379"}]}})")
          .empty());
}

TEST_CASE("a database without a volume is told of a release; a cache needs none, and a script is none") {
  const Lines expected{
      "release services.db.image keeps its data in no volume: it is gone with its container"};
  CHECK(told(R"({"db": {"image": "mysql:8"}})") == expected);
  CHECK(
      told(
          R"({"db": {"image": "mysql:8", "volumes": [{"type": "bind", "target": "/docker-entrypoint-initdb.d/a.sql"}]}})") ==
      expected);
  CHECK(told(R"({"db": {"image": "mysql:8", "volumes": [{"type": "bind", "target": "/var/lib/mysql"}]},
                 "cache": {"image": "redis:7"}, "memory": {"image": "mysql:8", "tmpfs": ["/var/lib/mysql"]}})")
            .empty());
}

TEST_CASE(
    "a secret in clear is told of a release once, with all its places; one that comes from a variable is "
    "none") {
  VariableUse use;
  use.templates["services.a.environment.DB_PASSWORD"] = "${DB_PASSWORD}";
  CHECK(told(R"({"a": {"environment": {"DB_PASSWORD": "hunter2", "TOKEN_FILE": "/run/secrets/t"}}})", use)
            .empty());
  CHECK(
      told(
          R"({"a": {"environment": {"DB_PASSWORD": "hunter2"}}, "b": {"environment": {"API_KEY": "abcdef"}}})") ==
      Lines{"release services.a.environment.DB_PASSWORD holds a secret that everybody reads who reads the "
            "file; so "
            "do: services.b.environment.API_KEY (services.b.environment.API_KEY)"});
  CHECK(
      told(
          R"({"a": {"environment": {"RESET_PASSWORD": "true", "DB_PASSWORD": "", "SECRET_KEY": "/run/x", "KEY": null}}})")
          .empty());
}

TEST_CASE("no value of a secret is in what is told of it") {
  for (const std::string& line :
       told(R"({"a": {"environment": {"DB_PASSWORD": "'hunter2'", "API_KEY": " hunter2"}}})"))
    CHECK(line.find("hunter2") == std::string::npos);
}

TEST_CASE("a word that is no restart policy is told with the one that was meant") {
  CHECK(told(R"({"a": {"restart": "allways"}})") ==
        Lines{"always services.a.restart 'allways' is no restart policy"});
  CHECK(told(R"({"a": {"restart": "on-failure:x"}})").size() == 1);
  CHECK(
      told(
          R"({"a": {"restart": "on-failure:3"}, "b": {"restart": "no"}, "c": {"restart": "unless-stopped"}})")
          .empty());
}

TEST_CASE("quotes and spaces that became part of a value are told, once for all") {
  CHECK(
      told(
          R"({"a": {"environment": {"A": "\"x\"", "B": "'y'", "C": " z", "O": " --x", "D": "\"", "E": "x y"}}})") ==
      Lines{"always services.a.environment.A has quotes in its value: in a list, those after '=' are part "
            "of it; so "
            "do: services.a.environment.B (services.a.environment.B)",
            "always services.a.environment.C begins with a space"});
}

TEST_CASE("a list of one text with spaces is told: it names one program") {
  CHECK(told(R"({"a": {"build": {}, "command": ["npm start"]}})").size() == 1);
  CHECK(told(R"({"a": {"healthcheck": {"test": ["CMD", "curl -f http://localhost"]}}})").size() == 1);
  CHECK(
      told(
          R"({"a": {"build": {}, "command": ["npm", "start"]}, "b": {"entrypoint": ["sh", "-c"], "command": ["npm start"]},
                 "c": {"image": "x:1", "command": ["npm start"]},
                 "d": {"healthcheck": {"test": ["CMD-SHELL", "curl -f http://localhost"]}}})")
          .empty());
}

TEST_CASE("check alone tells of images without a version, and of who does not wait for a database's health") {
  CHECK(told(R"({"a": {"image": "nginx"}, "b": {"image": "caddy:latest"}, "c": {"image": "caddy@sha256:0"},
                 "d": {"image": "x:5000/y:1"}, "e": {"image": "web", "build": {}}})") ==
        Lines{"check services.a.image has no version, so that each pull may bring another; so do: "
              "services.b.image "
              "(services.b.image)"});
  CHECK(
      told(
          R"({"web": {"depends_on": {"db": {"condition": "service_started"}, "cache": {"condition": "service_started"}}},
                 "db": {"image": "redis:7", "healthcheck": {"test": ["CMD", "x"]}}, "cache": {"image": "redis:7"}})") ==
      Lines{"check services.web.depends_on.db waits until it is started, and its healthcheck would say when "
            "it is "
            "ready"});
}
