#include <doctest/doctest.h>

#include "app/project_test.h"
#include "base/keys.h"
#include "base/seal.h"

using namespace holdall;
using namespace holdall::app;
namespace fs = std::filesystem;

namespace {

/// A project in memory, released or developed, with `sealed` in its sealed file.
struct Project : ProjectInMemory {
  explicit Project(const std::string& compose, const std::vector<std::string>& sealed = {})
      : ProjectInMemory("name: shop\n" + compose) {
    options.release = true;
    if (sealed.empty()) return;
    SealedFile file("secrets.sealed");
    file.set_recipient({"server", PrivateKey::generate().public_key()});
    for (const std::string& name : sealed) file.seal({"shop"}, name, Secret("value of " + name));
    files["secrets.sealed"] = file.print();
  }
  Project& in_development(std::map<std::string, std::string> shell) {
    options.release = false;
    options.environment = std::move(shell);
    return *this;
  }
};

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string web(const std::string& keys) {
  return "services:\n  web:\n    image: x\n    command: ./web\n" + keys;
}

const std::string kDatabase =
    web("    environment:\n"
        "      - DB_PASSWORD\n"
        "      - URL=postgres://app:${DB_PASSWORD}@db/$$1?x=$DB_PASSWORD\n"
        "      - PRICE=5$$\n");

}  // namespace

TEST_CASE("a sealed name is a variable, alone and inside a longer value, and its value is nowhere") {
  Loaded loaded = Project(kDatabase, {"DB_PASSWORD"}).load();
  const Service& service = loaded.app.services.at("web");
  using Variables = std::map<std::string, std::string>;
  CHECK(service.secret_environment ==
        Variables{{"DB_PASSWORD", "${DB_PASSWORD}"},
                  {"URL", "postgres://app:${DB_PASSWORD}@db/$$1?x=${DB_PASSWORD}"}});
  CHECK(service.environment == Variables{{"PRICE", "5$"}});
  CHECK(service.secret_names() == std::set<std::string>{"DB_PASSWORD"});
  CHECK_FALSE(loaded.sealed.empty());
  CHECK(loaded.secrets.empty());
}

TEST_CASE("the model tells a secret from a dollar sign") {
  Loaded loaded = Project(kDatabase, {"DB_PASSWORD"}).load();
  const Json& environment = loaded.model.at("services").at("web").at("environment");
  CHECK(environment.at("URL").string() == "postgres://app:${DB_PASSWORD}@db/$$1?x=${DB_PASSWORD}");
  CHECK(environment.at("PRICE").string() == "5$$");
  CHECK(parse_model(loaded.model) == loaded.app);
}

TEST_CASE("mappings, empty values, defaults and replacements of a sealed name") {
  Loaded loaded = Project(web("    environment:\n"
                              "      KEY:\n"
                              "      WITH: ${KEY:-none}\n"
                              "      OTHER: ${KEY:+there}\n"
                              "      SURE: ${KEY:?must be there}\n"),
                          {"KEY"})
                      .load();
  const Service& service = loaded.app.services.at("web");
  CHECK(service.secret_environment ==
        std::map<std::string, std::string>{{"KEY", "${KEY}"}, {"WITH", "${KEY}"}, {"SURE", "${KEY}"}});
  CHECK(service.environment == std::map<std::string, std::string>{{"OTHER", "there"}});
}

TEST_CASE("a secret anywhere but in a value of environment is a problem with its place") {
  std::string refusal = Project("x-note: ${KEY}\n" + web("    working_dir: ${KEY}\n"
                                                         "    healthcheck: {test: [CMD, check, \"$KEY\"]}\n"
                                                         "    environment:\n"
                                                         "      - ${KEY}=x\n"
                                                         "    x-holdall: {route: \"${KEY}.example\"}\n"),
                                {"KEY"})
                            .refusal();
  CHECK(holds(refusal, "compose.yaml:7:18: services.web.working_dir: KEY is a secret"));
  CHECK(holds(refusal, "compose.yaml:8:38: services.web.healthcheck.test.2: KEY is a secret"));
  CHECK(holds(refusal, "compose.yaml:10:9: services.web.environment: a secret is no name of a variable"));
  CHECK(holds(refusal, "services.web.x-holdall.route: KEY is a secret"));
  CHECK_FALSE(holds(refusal, "x-note"));
}

TEST_CASE("what is named and not sealed is a problem with place and remedy") {
  std::string refusal =
      Project("secrets: {pw: {environment: C}}\n" + web("    environment: {A: , B: \"x${B}\"}\n"
                                                        "    secrets: [pw]\n"),
              {"OTHER"})
          .refusal();
  CHECK(
      holds(refusal, "compose.yaml:2:29: secrets.pw.environment: C is not sealed\n  holdall secrets seal C"));
  CHECK(holds(refusal, "services.web.environment.A has no value"));
  CHECK(holds(refusal, "holdall secrets seal A"));
  CHECK(holds(refusal, "variable B is not set"));
  CHECK(holds(refusal, "holdall secrets seal B"));
}

TEST_CASE("a service finds the files of the secrets that it names, and no others") {
  Loaded loaded = Project("secrets: {pw: {environment: DB_PASSWORD}, key: {environment: API_KEY}}\n" +
                              web("    secrets:\n"
                                  "      - pw\n"
                                  "      - {source: key, target: api.key, mode: 0440}\n") +
                              "  worker: {image: x, command: ./work}\n",
                          {"DB_PASSWORD", "API_KEY"})
                      .load();
  CHECK(loaded.app.services.at("web").secrets ==
        std::vector<SecretFile>{{"DB_PASSWORD", "pw", 0400}, {"API_KEY", "api.key", 0440}});
  CHECK(loaded.app.services.at("worker").secret_names().empty());
  CHECK(parse_model(loaded.model) == loaded.app);
  CHECK(loaded.model.at("secrets").at("pw").at("environment").string() == "DB_PASSWORD");
}

TEST_CASE("files outside /run/secrets, two of one name, stores and owners are refused, all at once") {
  std::string refusal = Project("secrets: {pw: {environment: KEY}, store: {external: true}}\n" +
                                    web("    secrets:\n"
                                        "      - {source: pw, target: /etc/pw}\n"
                                        "      - {source: pw, target: same}\n"
                                        "      - {source: pw, target: /run/secrets/same, uid: \"1\"}\n"),
                                {"KEY"})
                            .refusal();
  CHECK(holds(refusal, "secrets.store.external is refused"));
  CHECK(holds(refusal, "services.web.secrets.2.uid is refused: each service gets a user of its own"));
  std::string places =
      Project("secrets: {pw: {environment: KEY}}\n" + web("    secrets:\n"
                                                          "      - {source: pw, target: /etc/pw}\n"
                                                          "      - {source: pw, target: ../up}\n"),
              {"KEY"})
          .refusal();
  CHECK(holds(places, "'/etc/pw' is no file in /run/secrets"));
  CHECK(holds(places, "'../up' is no file in /run/secrets"));
  CHECK(holds(Project(web("    secrets: [nope]\n")).refusal(), "there is no secret 'nope'"));
  CHECK(holds(Project("secrets: {pw: {file: ./pw}}\n" + web("    secrets: [pw]\n")).refusal(),
              "secrets.pw.file: a file of this machine is no part of a release"));
}

TEST_CASE("values of an env_file are literal, and one that would take a secret in is refused") {
  Project project(web("    env_file: app.env\n"), {"KEY"});
  project.files["app.env"] = "PLAIN='a${KEY}$b'\nRAW=\"\\$x\"\n";
  CHECK(project.load().app.services.at("web").environment ==
        std::map<std::string, std::string>{{"PLAIN", "a${KEY}$b"}, {"RAW", "$x"}});
  CHECK(parse_model(project.load().model) == project.load().app);
  project.files["app.env"] = "URL=x:${KEY}\n";
  CHECK(holds(project.refusal(), "app.env: KEY is a secret, and an env_file holds plain values"));
}

TEST_CASE(
    "development takes the values of secrets from the shell and from files, and puts none in the model") {
  Project project("secrets: {pw: {environment: DB_PASSWORD}, key: {file: ./key.pem}}\n" +
                      web("    environment: [\"URL=x:${DB_PASSWORD}\", SEALED, \"NOT=${UNSET_SEALED}\"]\n"
                          "    secrets: [pw, key]\n"),
                  {"SEALED", "UNSET_SEALED"});
  project.files["key.pem"] = "the key\n";
  Loaded loaded = project.in_development({{"DB_PASSWORD", "hunter2"}, {"SEALED", "from the shell"}}).load();
  REQUIRE(loaded.secrets.size() == 3);
  CHECK(loaded.secrets.at("DB_PASSWORD").view() == "hunter2");
  CHECK(loaded.secrets.at("SEALED").view() == "from the shell");
  CHECK(loaded.secrets.at("_file_key").view() == "the key\n");
  CHECK_FALSE(holds(loaded.model.print(), "hunter2"));
  CHECK_FALSE(holds(loaded.model.print(), "from the shell"));
  CHECK(loaded.app.services.at("web").environment == std::map<std::string, std::string>{{"NOT", ""}});
  CHECK(holds(project.in_development({}).refusal(), "secrets.pw.environment: DB_PASSWORD is not set"));
}

TEST_CASE("a model that a stranger sends is refused where its templates are none") {
  Loaded loaded = Project(kDatabase, {"DB_PASSWORD"}).load();
  Json model = loaded.model;
  (*model.find("services")->find("web")->find("environment"))["URL"] = "${DB_PASSWORD:-x}";
  CHECK_THROWS_WITH_AS(parse_model(model),
                       "services.web.environment.URL holds a variable that nobody has substituted\n"
                       "  write $$ for a dollar sign",
                       Error);
}
