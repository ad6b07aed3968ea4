#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>

#include "app/project_test.h"

using namespace holdall;
using namespace holdall::app;
namespace fs = std::filesystem;

namespace {

const char* const kShop = R"(name: shop
services:
  web:
    build: .
    command: ./web
    environment: {MOOD: "${MOOD:-grey}", WHERE: "${HOLDALL_ENV:-nowhere}"}
    x-holdall: {route: "${HOLDALL_DOMAIN}"}
x-holdall:
  environments:
    production:
      host: [ssh://deploy@a.example, "ssh://b.example:2222"]
      domain: shop.example
      protected: true
    staging:
      host: unix:///run/holdall/api.sock
      domain: staging.shop.example
)";

/// A project that is released.
struct Project : ProjectInMemory {
  explicit Project(std::string compose, std::optional<std::string> environment = {})
      : ProjectInMemory(std::move(compose)) {
    options.release = true;
    options.environment_name = std::move(environment);
  }

  std::string variable(const std::string& name) const {
    return load().app.services.at("web").environment.at(name);
  }
};

/// A project with these lines as its environment `staging`.
std::string with(const std::string& lines) {
  return Project(
             "services: {web: {build: ., command: x}}\nx-holdall:\n  environments:\n    staging:\n" + lines,
             "staging")
      .refusal();
}

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("an environment has its hosts, its domain and its app's name") {
  Environment production = Project(kShop, "production").load().environment;
  CHECK(production.name == "production");
  CHECK(production.app == "shop");
  CHECK(production.is_protected);
  CHECK(production.schedules);
  REQUIRE(production.hosts.size() == 2);
  CHECK(production.hosts[0] == Host{.user = "deploy", .name = "a.example"});
  CHECK(production.hosts[1] == Host{.user = "", .name = "b.example", .port = 2222});
  CHECK(production.sealed_file == "/srv/shop/secrets.production.sealed");

  Environment staging = Project(kShop, "staging").load().environment;
  CHECK(staging.app == "shop-staging");
  CHECK_FALSE(staging.is_protected);
  CHECK(staging.hosts ==
        std::vector<Host>{{.user = "", .name = "", .port = 0, .path = "/run/holdall/api.sock"}});
}

TEST_CASE("a release sees the name and the domain of its environment, and the model is of that app") {
  Loaded loaded = Project(kShop, "staging").load();
  CHECK(loaded.app.name == "shop-staging");
  CHECK(loaded.model.at("name").string() == "shop-staging");
  CHECK(loaded.app.services.at("web").environment.at("WHERE") == "staging");
  CHECK(loaded.app.services.at("web").routes.at(0).host == "staging.shop.example");
}

TEST_CASE("servers are the client's to know: a release's model has no environments") {
  CHECK_FALSE(Project(kShop, "staging").load().model.find("x-holdall"));
}

TEST_CASE("the app's name is what -p says, else what the environment says, else follows from the project's") {
  Project project("name: shop\nservices: {}\nx-holdall: {environments: {staging: {app: boutique}}}");
  CHECK(project.load().environment.app == "boutique");
  project.options.project_name = "mine";
  CHECK(project.load().environment.app == "mine");
}

TEST_CASE("the only environment need not be named; of several one must be") {
  CHECK(Project("services: {}\nx-holdall: {environments: {staging: }}").load().environment.name == "staging");
  std::string refusal = Project(kShop).refusal();
  CHECK(holds(refusal, "which environment? compose.yaml has: production, staging"));
  CHECK(holds(refusal, "--on production"));
}

TEST_CASE("an unknown environment is answered with those there are, and the nearest") {
  std::string refusal = Project(kShop, "stagin").refusal();
  CHECK(holds(refusal, "there is no environment 'stagin'; compose.yaml has: production, staging"));
  CHECK(holds(refusal, "did you mean 'staging'?"));
  CHECK(holds(Project("services: {}", "staging").refusal(), "compose.yaml has none"));
}

TEST_CASE("a project without environments has an unnamed one, of compose.yaml alone") {
  Project project("name: shop\nservices: {web: {build: ., command: x, environment: {E: '${HOLDALL_ENV}'}}}");
  project.files["compose.production.yaml"] = "services: {web: {command: y}}";
  Loaded loaded = project.load();
  CHECK(loaded.environment.name.empty());
  CHECK(loaded.environment.app == "shop");
  CHECK(loaded.environment.hosts.empty());
  CHECK(loaded.app.services.at("web").environment.at("E").empty());
  CHECK(loaded.app.services.at("web").command == std::vector<std::string>{"x"});
}

TEST_CASE("an environment's own file is laid over compose.yaml, and the override is not") {
  Project project(kShop, "staging");
  project.files["compose.staging.yaml"] = "services: {web: {command: ./web --slow}}";
  project.files["compose.override.yaml"] = "services: {web: {environment: {MOOD: override}}}";
  CHECK(project.load().app.services.at("web").command == std::vector<std::string>{"./web", "--slow"});
  CHECK(project.variable("MOOD") == "grey");
  project.options.environment_name = "production";
  CHECK(project.load().app.services.at("web").command == std::vector<std::string>{"./web"});
}

TEST_CASE("an environment may name its files, and -f names them instead") {
  Project project(std::string(kShop) + "      files: [compose.yaml, more.yaml]\n", "staging");
  CHECK_THROWS_WITH_AS(project.load(), doctest::Contains("more.yaml"), Error);
  project.files["more.yaml"] = "services: {web: {environment: {MOOD: more}}}";
  project.files["other.yaml"] = "services: {web: {environment: {MOOD: other}}}";
  CHECK(project.variable("MOOD") == "more");
  project.options.files = {"compose.yaml", "other.yaml"};
  CHECK(project.variable("MOOD") == "other");
}

TEST_CASE("variables of a release come from the server, then from .env.ENV, never from .env") {
  Project project(kShop, "staging");
  project.files[".env"] = "MOOD=development";
  CHECK(project.variable("MOOD") == "grey");
  project.files[".env.staging"] = "MOOD=green";
  CHECK(project.variable("MOOD") == "green");
  project.options.environment = {{"MOOD", "blue"}};
  CHECK(project.variable("MOOD") == "blue");
}

TEST_CASE("env files that an environment names must be there, and stand for .env.ENV") {
  Project project(std::string(kShop) + "      env_file: staging.env\n", "staging");
  project.files[".env.staging"] = "MOOD=unread";
  CHECK(holds(project.refusal(), "staging.env: no such env file"));
  project.files["staging.env"] = "MOOD=green";
  CHECK(project.variable("MOOD") == "green");
}

TEST_CASE("every variable that is not set refuses the release, with where it could be set") {
  Project project(
      "services:\n  web:\n    build: .\n    command: $ONE $TWO ${HOLDALL_DOMAIN}\n"
      "x-holdall: {environments: {staging: }}",
      "staging");
  std::string refusal = project.refusal();
  CHECK(holds(refusal, "compose.yaml:4:14: variable ONE is not set"));
  CHECK(holds(refusal, "compose.yaml:4:14: variable TWO is not set"));
  CHECK(holds(refusal,
              "write it in .env.staging, or ${ONE:-default} here, or seal it: holdall secrets seal ONE --on "
              "staging"));
  CHECK(holds(refusal, "write 'domain: shop.example.com' in x-holdall.environments.staging"));
}

TEST_CASE("an environment's profiles are active in its releases") {
  Project project(R"(services:
  web: {build: ., command: x}
  mail: {build: ., command: x, profiles: [mail]}
x-holdall: {environments: {staging: {profiles: [mail]}, production: }})",
                  "staging");
  CHECK(project.load().app.services.contains("mail"));
  project.options.environment_name = "production";
  CHECK_FALSE(project.load().app.services.contains("mail"));
}

TEST_CASE("in development a domain ends in localhost, and environments are checked and kept in the model") {
  Project project(kShop);
  project.options.release = false;
  Loaded loaded = project.load();
  CHECK(loaded.app.name == "shop");
  CHECK(loaded.app.services.at("web").routes.at(0).host == "shop.localhost");
  CHECK(loaded.model.at("x-holdall").at("environments").find("staging"));
  project.files["compose.yaml"] += "      colour: red\n";
  CHECK(holds(project.refusal(),
              "compose.yaml:17:7: x-holdall.environments.staging.colour: there is no such key"));
}

TEST_CASE("what is wrong with an environment is said with its place") {
  CHECK(holds(with("      hosts: x\n"),
              "compose.yaml:5:7: x-holdall.environments.staging.hosts: there is no such key\n"
              "  did you mean 'host'?"));
  CHECK(holds(with("      host: a.example\n"),
              "compose.yaml:5:13: x-holdall.environments.staging.host: 'a.example' is no server"));
  CHECK(holds(with("      host: 5\n"), "host must be a string, and this is an integer"));
  CHECK(holds(with("      host: [ssh://a, ssh://a]\n"), "ssh://a is there twice"));
  CHECK(holds(with("      domain: ${DOMAIN}\n"), "domain has a dollar sign in it"));
  CHECK(holds(with("      app: My App\n"), "'My App' is no name of an app"));
  CHECK(holds(with("      build: cloud\n"), "'cloud' is neither server nor local"));
  CHECK(holds(with("      build: local\n"), "build: local is refused"));
  CHECK(holds(with("      protected: maybe\n"), "protected: must be true or false"));
  CHECK(with("      schedules: on\n").empty());
  CHECK(with("      schedules: off\n").empty());
  CHECK(holds(Project("services: {}\nx-holdall: {environments: {Staging: }}", "Staging").refusal(),
              "'Staging' is no name of an environment"));
  Project elsewhere("services: {}\nx-holdall: {environments: {staging: }}", "staging");
  elsewhere.files["compose.staging.yaml"] = "x-holdall: {environments: {production: }}";
  CHECK(holds(elsewhere.refusal(), "stands in a file that only an environment names"));
}

TEST_CASE("hosts are read as they are written, and nothing in one is an option or a command") {
  for (const char* same :
       {"ssh://a.example", "ssh://deploy@a.example:22", "ssh://[::1]:22", "unix:///run/a.sock"})
    CHECK(text(parse_host(same)) == same);
  CHECK(parse_host("/run/a.sock").path == "/run/a.sock");
  CHECK(parse_host("ssh://a/").name == "a");
  for (const char* bad : {"a.example", "http://a", "ssh://", "ssh://-oProxyCommand=x", "ssh://-l@a",
                          "ssh://a:0", "ssh://a:65536", "ssh://a:x", "ssh://a/b", "ssh://u:p@a", "ssh://a b",
                          "ssh://a;b", "ssh://$(x)", "ssh://[::1", "unix://a"})
    CHECK_THROWS_AS(parse_host(bad), Error);
}
