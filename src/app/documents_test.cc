#include <doctest/doctest.h>

#include <string>

#include "app/project_test.h"

using namespace holdall;
using namespace holdall::app;

namespace {

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Json service(const ProjectInMemory& project, std::string_view name) {
  return project.read().model.at("services").at(name);
}

std::string refusal(const ProjectInMemory& project) {
  return ProjectInMemory::refusal([&] { project.read(); });
}

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> all;
  for (const Json& item : list.items()) all.push_back(item.string());
  return all;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a service goes over the one it extends, in a file whose paths count from its own directory") {
  ProjectInMemory project(
      "services: {web: {extends: {file: base/common.yaml, service: app}, ports: ['81:81'], environment: {A: "
      "mine}}}");
  project.files["base/common.yaml"] =
      "services:\n"
      "  app: {extends: root, ports: ['80:80'], environment: [A=theirs, B=theirs]}\n"
      "  root: {build: ./src, env_file: app.env, command: run, volumes: ['./data:/data']}\n";
  project.files["base/app.env"] = "C=file\n";
  Json web = service(project, "web");
  CHECK(web.at("build").at("context").string() == "/srv/shop/base/src");
  CHECK(web.at("volumes").items()[0].at("source").string() == "/srv/shop/base/data");
  CHECK(web.at("ports").items().size() == 2);
  CHECK(web.at("environment") == Json::object({{"A", "mine"}, {"B", "theirs"}, {"C", "file"}}));
  CHECK(texts(web.at("command")) == Texts{"run"});
  CHECK(web.find("extends") == nullptr);
}

TEST_CASE("!reset and !override work on what is extended, and on earlier files") {
  ProjectInMemory project(
      "services:\n"
      "  base: {image: x, ports: ['80:80'], dns: [a, b], labels: {one: 1, two: 2}}\n"
      "  web: {extends: base, ports: !reset [], dns: !override [c]}\n");
  CHECK(service(project, "web").find("ports") == nullptr);
  CHECK(texts(service(project, "web").at("dns")) == Texts{"c"});
  CHECK(service(project, "base").at("ports").items().size() == 1);
  project.files["compose.override.yaml"] =
      "services: {base: {labels: {one: !reset null}, dns: !override [d]}}";
  CHECK(service(project, "base").at("labels") == Json::object({{"two", "2"}}));
  CHECK(texts(service(project, "base").at("dns")) == Texts{"d"});
}

TEST_CASE("extends that goes round, or names what is not there, is a problem at its place") {
  CHECK(holds(refusal(ProjectInMemory("services: {a: {image: x, extends: b}, b: {extends: a}}")),
              "services.b.extends goes round: a -> b -> a"));
  CHECK(holds(refusal(ProjectInMemory("services: {a: {image: x, extends: {service: b}}}")),
              "there is no service 'b'"));
  CHECK(holds(refusal(ProjectInMemory("services: {a: {image: x, extends: {service: b, file: n.yaml}}}")),
              "there is no file /srv/shop/n.yaml"));
  CHECK(holds(refusal(ProjectInMemory("services: {a: {image: x, extends: {service: a, flie: n.yaml}}}")),
              "services.a.extends.flie: there is no such key"));
}

TEST_CASE("an included project has its own directory and its own .env under the variables of the first") {
  ProjectInMemory project(
      "include: [sub/compose.yaml, {path: [more/a.yaml, more/b.yaml], project_directory: more, env_file: "
      "e}]\n"
      "services: {web: {image: x, depends_on: [db]}}\n");
  project.files[".env"] = "BOTH=outer\n";
  project.files["sub/.env"] = "BOTH=inner\nOWN=inner\n";
  project.files["sub/compose.yaml"] =
      "services: {db: {image: '${BOTH}-${OWN}', volumes: ['./d:/d'], environment: [OWN]}}\n";
  project.files["more/a.yaml"] = "services: {cache: {image: '${E}', build: .}}\n";
  project.files["more/b.yaml"] = "services: {cache: {command: go}}\n";
  project.files["e"] = "E=named\n";
  Json db = service(project, "db");
  CHECK(db.at("image").string() == "outer-inner");
  CHECK(db.at("volumes").items()[0].at("source").string() == "/srv/shop/sub/d");
  CHECK(db.at("environment").at("OWN").string() == "inner");
  Json cache = service(project, "cache");
  CHECK(cache.at("image").string() == "named");
  CHECK(texts(cache.at("command")) == Texts{"go"});
  CHECK(cache.at("build").at("context").string() == "/srv/shop/more");
}

TEST_CASE("what is included may not stand in the file too, nor include what includes it, nor be away") {
  ProjectInMemory project("include: [sub.yaml]\nservices: {a: {image: x}}\n");
  project.files["sub.yaml"] = "services: {a: {image: y}}\n";
  CHECK(holds(refusal(project), "services.a is in an included file too, at sub.yaml:1:"));
  project.files["sub.yaml"] = "include: [compose.yaml]\nservices: {b: {image: y}}\n";
  CHECK(holds(refusal(project), "goes round"));
  project.files.erase("sub.yaml");
  CHECK(holds(refusal(project), "there is no file /srv/shop/sub.yaml"));
  CHECK(holds(refusal(ProjectInMemory("include: [{paht: x}]\nservices: {}")),
              "include.0.paht: there is no such key"));
}

TEST_CASE("an override appends lists, merges pairs by name and replaces commands") {
  ProjectInMemory project(
      "services:\n"
      "  a: {image: x, command: one two, cap_add: [A], environment: [K=1, L=1], ports: ['80:80'],\n"
      "      volumes: ['./x:/data', 'v:/v'], networks: [n], logging: {driver: l, options: {a: 1}}}\n"
      "volumes: {v: }\nnetworks: {n: , m: }\n");
  project.files["compose.override.yaml"] =
      "services:\n"
      "  a: {command: [three], cap_add: [B, A], environment: {K: 2}, ports: ['80:80', '81:81'],\n"
      "      volumes: ['./y:/data'], networks: {m: {aliases: [z]}}, logging: {driver: other}}\n";
  Json a = service(project, "a");
  CHECK(texts(a.at("command")) == Texts{"three"});
  CHECK(texts(a.at("cap_add")) == Texts{"A", "B"});
  CHECK(a.at("environment") == Json::object({{"K", "2"}, {"L", "1"}}));
  CHECK(a.at("ports").items().size() == 2);
  CHECK(a.at("volumes").items().size() == 2);
  CHECK(a.at("volumes").items()[0].at("source").string() == "/srv/shop/y");
  CHECK(a.at("networks").members().size() == 2);
  CHECK(a.at("logging") == Json::object({{"driver", "other"}}));
  project.files["compose.override.yaml"] = "services: {a: {cap_add: {A: }}}\n";
  CHECK(holds(refusal(project), "services.a.cap_add is a mapping here, and a list in the file before"));
}

TEST_CASE("a volume of one letter is a name, and a drive of Windows a path") {
  ProjectInMemory project(
      "services: {a: {image: x, volumes: ['v:/v', 'w:/w:ro', 'C:\\d:/x', 'D:/e:/f']}}\nvolumes: {v: , w: "
      "}\n");
  const Json::Array volumes = service(project, "a").at("volumes").items();
  CHECK(volumes[0].at("type").string() == "volume");
  CHECK(volumes[0].at("source").string() == "v");
  CHECK(volumes[1].at("read_only").boolean());
  CHECK(volumes[2].at("source").string() == "C:\\d");
  CHECK(volumes[3].at("source").string() == "D:/e");
  CHECK(volumes[3].at("target").string() == "/f");
}

TEST_CASE("a file of Fig's days is read, and how to write it today is said") {
  ProjectInMemory project(
      "app:\n  build: .\n  command: run\n  volumes: ['code:/srv', '/cache']\n  links: [db]\n  net: "
      "'container:db'\n"
      "db:\n  image: postgres:9.3\n  ports: ['5432:5432']\n");
  Loaded loaded = project.read();
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(holds(loaded.warnings[0].hint, "services:\n      app:\n        build: ."));
  const Json& app = loaded.model.at("services").at("app");
  CHECK(app.at("volumes").items()[0].at("type").string() == "bind");
  CHECK(app.at("volumes").items()[0].at("source").string() == "/srv/shop/code");
  CHECK(app.at("network_mode").string() == "service:db");
  CHECK(app.at("depends_on").find("db"));
  CHECK(holds(refusal(ProjectInMemory("app: {build: .}\nother: text\n")), "other: there is no such key"));
}

TEST_CASE("what contradicts itself or names what is not there is told whole") {
  const std::string all = refusal(
      ProjectInMemory("services:\n"
                      "  a: {image: x, networks: [n], volumes: ['v:/v'], tmpfs: /v, secrets: [s], configs: "
                      "[c], depends_on: [z]}\n"
                      "  b: {image: x, scale: 2, container_name: one, mem_limit: 1m, deploy: {resources: "
                      "{limits: {memory: 2m}}}}\n"
                      "  c: {image: x, container_name: one, network_mode: host, networks: [default]}\n"
                      "  d: {command: x}\n"));
  CHECK(holds(all, "compose.yaml:2:"));
  for (std::string_view what :
       {"services.a.networks: there is no network 'n'", "services.a.volumes: there is no volume 'v'",
        "services.a.secrets: there is no secret 's'", "services.a.configs: there is no config 'c'",
        "services.a.depends_on: there is no service 'z'",
        "services.a.volumes: /v is mounted by tmpfs already",
        "services.b: 2 replicas cannot have one container_name", "services.b.mem_limit is 1048576",
        "services.c.container_name: services.b has the name 'one' too",
        "services.c has both network_mode and networks", "services.d has neither image nor build"}) {
    CHECK_MESSAGE(holds(all, what), what << "\n" << all);
  }
}

TEST_CASE("a model that is not interpolated is as the files say, in long form") {
  ProjectInMemory project(
      "services: {a: {image: '${X:?no}', ports: ['${P}:80'], volumes: ['./d:/d'], tty: '${T}'}}");
  project.options.steps.interpolate = false;
  Json a = service(project, "a");
  CHECK(a.at("image").string() == "${X:?no}");
  CHECK(texts(a.at("ports")) == Texts{"${P}:80"});
  CHECK(a.at("volumes").items()[0].at("source").string() == "/srv/shop/d");
  CHECK(a.at("tty").string() == "${T}");
}

TEST_CASE(
    "JSON is printed as Docker Compose prints it: by its own order of keys, without extensions of services") {
  ProjectInMemory project(
      "services: {b: {image: x, x-mine: 1}, a: {command: y, image: x}}\nx-top: {z: 1, a: 2}\n");
  const std::string text = to_json_text(project.read().model);
  CHECK(text.find("\"a\": {\n      \"command\"") < text.find("\"b\": {"));
  CHECK_FALSE(holds(text, "x-mine"));
  CHECK(text.find("x-top") > text.find("\"services\""));
  CHECK(holds(to_yaml(project.read().model), "    x-mine: 1\n"));
}

TEST_CASE("YAML sorts names by the numbers in them, and letters after all else") {
  ProjectInMemory project(
      "services: {a: {image: x, environment: {V10: '', V9: '', LOG_X: '', LOGROTATE: '', V: ''}}}\n");
  const std::string text = to_yaml(project.read().model);
  CHECK(holds(text,
              "      LOG_X: \"\"\n      LOGROTATE: \"\"\n      V: \"\"\n      V9: \"\"\n      V10: \"\"\n"));
}

TEST_CASE(".env of the directory where the search begins goes over the project's") {
  ProjectInMemory project("services: {a: {image: '${BOTH}-${OUTER}'}}\n");
  project.files[".env"] = "BOTH=outer\nOUTER=outer\n";
  project.files["sub/.env"] = "BOTH=inner\n";
  project.options.working_dir = "/srv/shop/sub";
  CHECK(service(project, "a").at("image").string() == "inner-outer");
  project.options.environment = {{"COMPOSE_DISABLE_ENV_FILE", "true"}, {"BOTH", "shell"}};
  CHECK(service(project, "a").at("image").string() == "shell-");
  project.files["sub/e"] = "OUTER=named\n";
  project.options.environment = {{"COMPOSE_ENV_FILES", "e"}};
  CHECK(service(project, "a").at("image").string() == "-named");
}

TEST_CASE("a name that comes to nothing is refused, and the directory's name does not stand in for it") {
  CHECK(holds(refusal(ProjectInMemory("name: '${NOTHING}'\nservices: {a: {image: x}}")),
              "gives no project name"));
  CHECK(ProjectInMemory("name: ''\nservices: {a: {image: x}}").read().model.at("name").string() == "shop");
}
