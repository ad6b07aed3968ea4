#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "app/app.h"
#include "app/project_test.h"

using namespace holdall;
using namespace holdall::app;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using Project = ProjectInMemory;

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const char* const kShop = R"(name: shop
services:
  web:
    build: .
    command: ["./web", "--verbose"]
    environment: {MOOD: grey, PRICE: a$$b}
    depends_on: {db: {condition: service_healthy}}
    deploy: {replicas: 3, update_config: {order: start-first, monitor: 5s}}
    ports: ["8080:80"]
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    restart: on-failure:4
    x-holdall:
      route: [shop.example, {host: API.shop.example, path: /v1, strip: true}]
      ready: {path: /health, status: 200-299, interval: 1s}
      drain_timeout: 5s
      limits: {body: 64M, timeout: 30s}
      build: make all
  db:
    image: postgres
    command: ./db
    healthcheck: {test: ./check now, interval: 2s, retries: 5}
    working_dir: data
)";

}  // namespace

TEST_CASE("a file becomes a typed value with every default filled in") {
  App app = Project(kShop).load().app;
  CHECK(app.name == "shop");
  CHECK(app.service_order == std::vector<std::string>{"web", "db"});
  const Service& web = app.services.at("web");
  CHECK(web.context == "/srv/shop");
  CHECK(web.command == std::vector<std::string>{"./web", "--verbose"});
  CHECK(web.build == std::vector<std::string>{"make", "all"});
  CHECK(web.environment == std::map<std::string, std::string>{{"MOOD", "grey"}, {"PRICE", "a$b"}});
  CHECK(web.depends_on.at("db") == Dependency{DependsOn::healthy, true});
  CHECK(web.replicas == 3);
  CHECK(web.update.monitor == 5s);
  CHECK(web.ports == std::vector<Port>{{"", 8080, 80, "tcp", ""}});
  CHECK(web.stop_signal == 2);
  CHECK(web.stop_grace == 90s);
  CHECK(web.restart == Restart{Restart::on_failure, 4});
  CHECK(web.routes ==
        std::vector<RouteRule>{{"shop.example", "/", false}, {"api.shop.example", "/v1", true}});
  CHECK(web.ready->path == "/health");
  CHECK(web.ready->status_to == 299);
  CHECK(web.ready->later_interval == 1s);
  CHECK(web.drain_timeout == 5s);
  CHECK(web.start_timeout == 60s);
  CHECK(web.largest_body == std::uint64_t{64} << 20);
  CHECK(web.response_timeout == 30s);
  CHECK(web.has_port());

  const Service& db = app.services.at("db");
  CHECK(db.context.empty());
  CHECK(db.healthcheck->command == std::vector<std::string>{"/bin/sh", "-c", "./check now"});
  CHECK(db.healthcheck->timeout == 30s);
  CHECK(db.replicas == 1);
  CHECK_FALSE(db.has_port());
}

TEST_CASE("a server reads from the model what its client read from the file") {
  Loaded loaded = Project(kShop).load();
  CHECK(parse_model(Json::parse(loaded.model.print())) == loaded.app);
}

TEST_CASE("a server refuses a model that no client would send") {
  CHECK_THROWS_AS(parse_model(Json::parse("[]")), Error);
  CHECK_THROWS_AS(parse_model(Json::parse(R"({"services": {"a": 1}})")), Error);
  CHECK_THROWS_AS(
      parse_model(Json::parse(R"({"services": {"a": {"command": ["x"], "ports": [{"target": 0}]}}})")),
      Error);
  CHECK_THROWS_AS(parse_model(Json::parse(R"({"services": {"a": {"command": ["x"], "scale": -1}}})")), Error);
  CHECK_NOTHROW(parse_model(Json::parse(R"({"services": {"a": {"command": ["x"]}}})")));
}

TEST_CASE("services start after what they depend on, and otherwise as the file lists them") {
  Project project(
      "services: {c: {build: ., command: x, depends_on: [a]}, b: {build: ., command: x}, "
      "a: {build: ., command: x}}");
  CHECK(start_order(project.load().app) == std::vector<std::string>{"b", "a", "c"});
}

TEST_CASE("every problem is told at once, in the order of the file, each with its place and remedy") {
  Project project(R"(services:
  web:
    image: [shop]
    comand: ./web
    privileged: true
    ports: ["99999:80"]
  db:
    image: ${DB_IMAGE
volumes: {}
)");
  CHECK(project.refusal() ==
        R"(compose.yaml:3:12: services.web.image must be a string, and this is a list
compose.yaml:4:5: services.web.comand: there is no such key
  did you mean 'command'?
compose.yaml:5:5: services.web.privileged is refused: the process engine runs a plain process, with no container around it
  remove the key
compose.yaml:6:13: services.web.ports.0: '99999:80': '99999' is no port of a host: 0 to 65535, or a range
  write [[IP:]HOST:]CONTAINER[/PROTOCOL]
compose.yaml:8:12: services.db.image: '${DB_IMAGE' has no closing brace
compose.yaml:9:1: volumes is refused: nothing but the artefact travels with a release yet
  put the files under build.context, or name a directory of the server in environment)");
}

TEST_CASE("a service that says not what to run is refused with the remedy, but its file is still Compose") {
  Project project("services:\n  web:\n    build: .\n");
  CHECK(holds(project.refusal(), "compose.yaml:2:3: services.web has neither command nor entrypoint"));
  CHECK(holds(project.refusal(), "write 'command:'"));
  CHECK(project.read().model.find("services"));
}

TEST_CASE("a service without image and build is refused") {
  CHECK(holds(Project("services: {a: {command: x}}").refusal(), "services.a has neither image nor build"));
}

TEST_CASE("a service with an image alone runs from an empty directory, with a warning") {
  Loaded loaded = Project("services: {a: {image: x, command: y}}").load();
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(holds(text(loaded.warnings[0]), "compose.yaml:1:16: services.a has an image and no build"));
}

TEST_CASE("a declared PORT is refused where two instances would meet, and only there") {
  CHECK(holds(
      Project("services: {a: {build: ., command: x, expose: [80], environment: {PORT: 3000}}}").refusal(),
      "services.a.environment.PORT is refused"));
  CHECK(Project("services: {a: {build: ., command: x, environment: {PORT: 3000}}}").refusal().empty());
}

TEST_CASE("deploy.update_config is refused beyond one switch that starts first") {
  auto with = [](const std::string& update) {
    return Project("services: {a: {build: ., command: x, deploy: {replicas: 3, update_config: {" + update +
                   "}}}}")
        .refusal();
  };
  CHECK(with("order: start-first, parallelism: 0, failure_action: rollback, delay: 0s, max_failure_ratio: 0")
            .empty());
  CHECK(with("parallelism: 3").empty());
  CHECK(holds(with("order: stop-first"), "update_config.order 'stop-first' is refused"));
  CHECK(holds(with("parallelism: 2"), "update_config.parallelism 2 is refused"));
  CHECK(holds(with("failure_action: pause"), "update_config.failure_action 'pause' is refused"));
  CHECK(holds(with("delay: 1s"), "update_config.delay is refused"));
  CHECK(holds(with("max_failure_ratio: 0.5"), "update_config.max_failure_ratio is refused"));
}

TEST_CASE("a port is published once, over TCP, and not as a range") {
  auto with = [](const std::string& ports) {
    return Project("services: {a: {build: ., command: x, ports: [" + ports +
                   "]}, "
                   "b: {build: ., command: x, ports: [\"81:81\"]}}")
        .refusal();
  };
  CHECK(with("\"80:80\", \"82\"").empty());
  CHECK(holds(with("\"53:53/udp\""), "udp is refused"));
  CHECK(holds(with("\"8080-8082:80\""), "8080-8082 is refused"));
  CHECK(holds(with("\"81:80\""), "81 is published by 'a' too"));
}

TEST_CASE("dependencies must exist, tell when they are healthy, and not go round") {
  auto with = [](const std::string& a, const std::string& b) {
    return Project("services: {a: {build: ., command: x" + a + "}, b: {build: ., command: x" + b + "}}")
        .refusal();
  };
  CHECK(holds(with(", depends_on: [c]", ""), "services.a.depends_on: there is no service 'c'"));
  CHECK(holds(with(", depends_on: [b]", ", depends_on: [a]"), "goes round: a -> b -> a"));
  CHECK(holds(with(", depends_on: {b: {condition: service_healthy}}", ""), "nothing tells when it is"));
  CHECK(with(", depends_on: {b: {condition: service_healthy}}", ", expose: [80]").empty());
}

TEST_CASE("keys of x-holdall are checked like any other") {
  auto with = [](const std::string& keys) {
    return Project("services: {a: {build: ., command: x, x-holdall: {" + keys + "}}}").refusal();
  };
  CHECK(with("route: shop.example/api, port: 8080, ready: /health, engine: process").empty());
  CHECK(holds(with("rout: shop.example"), "did you mean 'route'?"));
  CHECK(holds(with("route: 'https://shop.example'"), "takes a host, not a URL"));
  CHECK(holds(with("route: 'shop example'"), "is no host name"));
  CHECK(holds(with("route: {host: a.example, paht: /x}"), "it takes host, path, strip"));
  CHECK(holds(with("ready: {timeout: 1s}"), "services.a.x-holdall.ready says nothing"));
  CHECK(with("ready: {path: /x, port: 81}").empty());
  CHECK(with("ready: {port: 81}").empty());
  CHECK(with("ready: {file: beat, interval: 3s}").empty());
  CHECK(holds(with("ready: {file: beat, port: 81}"), "is of no use to a command or a file"));
  CHECK(holds(with("ready: {path: /x, command: [y]}"), "more than one of path, command and file"));
  CHECK(holds(with("ready: {path: /x, status: 700}"), "no range of HTTP status codes"));
  CHECK(holds(with("drain_timeout: 30"),
              "compose.yaml:1:50: services.a.x-holdall.drain_timeout must be a duration"));
  CHECK(holds(with("engine: docker"), "there is no engine 'docker' yet"));
  CHECK(holds(with("jobs: {}"), "services.a.x-holdall.jobs is refused"));
  CHECK(holds(with("limits: {rate: 5}"), "services.a.x-holdall.limits.rate is refused"));
  CHECK(holds(with("limits: {body: many}"), "must be a number of bytes"));
}

TEST_CASE("release commands are pre_start's hooks in their order, and then release_command") {
  const Loaded loaded = Project(R"(services:
  web:
    build: .
    command: ./web
    pre_start:
      - {command: ./cache clear, environment: {DEPTH: 2}, working_dir: tools}
      - {command: [./seed], environment: [A=b=c]}
    x-holdall: {release_command: './migrate --to $${VERSION}', release_timeout: 90s}
)")
                            .load();
  const Service web = parse_model(loaded.model).services.at("web");
  REQUIRE(web.release_commands.size() == 3);
  CHECK(web.release_commands[0] == ReleaseCommand{{"./cache", "clear"}, {{"DEPTH", "2"}}, "tools"});
  CHECK(web.release_commands[1] == ReleaseCommand{{"./seed"}, {{"A", "b=c"}}, ""});
  CHECK(web.release_commands[2].command == std::vector<std::string>{"./migrate", "--to", "${VERSION}"});
  CHECK(web.release_timeout == std::chrono::seconds(90));
}

TEST_CASE("what a hook of pre_start cannot have is said with its place") {
  auto with = [](const std::string& hook) {
    return Project("services: {a: {build: ., command: x, pre_start: [" + hook + "]}}").refusal();
  };
  CHECK(with("{command: y}").empty());
  CHECK(holds(with("{image: alpine}"), "services.a.pre_start.0.image is refused"));
  CHECK(holds(with("{working_dir: /x}"), "services.a.pre_start.0 has no command"));
  CHECK(holds(with("{command: y, per_replica: true}"), "runs once per release"));
  CHECK(holds(with("{command: y, comand: z}"), "services.a.pre_start.0.comand"));
  CHECK(holds(with("{command: y, environment: [X]}"), "'X' has no value"));
  CHECK(holds(with("y"), "must be a mapping"));
}

TEST_CASE("a release reads compose.yaml alone: no override, no .env, nobody's shell") {
  Project project("services: {a: {build: ., command: x, environment: {MOOD: '${MOOD:-grey}'}}}");
  project.files["compose.override.yaml"] = "services: {a: {environment: {MOOD: override}}}";
  project.files[".env"] = "MOOD=dotenv";
  CHECK(project.load().app.services.at("a").environment.at("MOOD") == "override");
  project.options.release = true;
  CHECK(project.load().app.services.at("a").environment.at("MOOD") == "grey");
}

TEST_CASE("a release lists every variable that is not set") {
  Project project(
      "services:\n  a:\n    build: .\n    command: $COMMAND\n    environment: [KEY, 'URL=http://$HOST']\n");
  project.options.release = true;
  std::string refusal = project.refusal();
  CHECK(holds(refusal, "compose.yaml:4:14: variable COMMAND is not set"));
  CHECK(holds(refusal, "compose.yaml:5:19: services.a.environment.KEY has no value"));
  CHECK(holds(refusal, "compose.yaml:5:24: variable HOST is not set"));
}

TEST_CASE("in development what is not set is empty, with one warning for all of it") {
  Loaded loaded =
      Project("services: {a: {build: ., command: x, environment: {A: $ONE, B: $TWO$TWO}}}").load();
  CHECK(loaded.app.services.at("a").environment.at("A") == "");
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].what == "not set, so empty: ONE (compose.yaml:1:55), TWO (compose.yaml:1:64)");
}

TEST_CASE("a command line that a shell would have to read is warned about") {
  Loaded loaded = Project("services: {a: {build: ., command: make && ./a}}").load();
  CHECK(loaded.app.services.at("a").command == std::vector<std::string>{"make"});
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(holds(text(loaded.warnings[0]), "services.a.command ends before '&& ./a'"));
}

TEST_CASE("places say where each thing was written, through overrides and env files") {
  Project project(
      "services:\n  a:\n    build: .\n    command: x\n    environment:\n      MOOD: grey\n    env_file: "
      "a.env\n");
  project.files["compose.override.yaml"] = "services:\n  a:\n    command: z\n";
  project.files["a.env"] = "PRICE=1\n";
  auto places = project.load().places;
  CHECK(text(places.at("services.a.environment.MOOD")) == "compose.yaml:6:7");
  CHECK(text(places.at("services.a.command")) == "compose.override.yaml:3:5");
  CHECK(places.at("services.a.environment.PRICE").file == "a.env");
}

TEST_CASE("no file is missing, not invalid, and says which names were looked for") {
  Project project("");
  project.files.clear();
  CHECK_THROWS_WITH_AS(project.load(), doctest::Contains("compose.yaml"), Error);
}
