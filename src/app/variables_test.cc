#include <doctest/doctest.h>

#include "app/app.h"
#include "app/load.h"
#include "base/error.h"

using namespace holdall;
using namespace holdall::app;

namespace {

Loaded loaded(const std::string& compose, const std::map<std::string, std::string>& set = {},
              const std::string& sealed = "") {
  LoadOptions options;
  options.working_dir = "/srv/shop";
  options.release = true;
  options.environment = set;
  return load_from(options, [&](const std::filesystem::path& path) -> std::optional<std::string> {
    if (path == "/srv/shop/compose.yaml") return compose;
    if (path == "/srv/shop/secrets.sealed" && !sealed.empty()) return sealed;
    return std::nullopt;
  });
}

const char* const kShop = R"(name: shop
services:
  web:
    build: .
    command: ["./web", "--level", "${LEVEL:-1}"]
    environment:
      MOOD: ${MOOD:-grey}
      PRICE: a$$b
      BOTH: ${MOOD:-x}-${COLOUR:-${MOOD:-y}}
  worker:
    build: .
    command: ./worker
    environment: ["MOOD=is ${MOOD:-grey}", "PLAIN=1"]
)";

std::string value(const Json& model, const std::string& service, const std::string& name) {
  return model.at("services").at(service).at("environment").at(name).string();
}

}  // namespace

TEST_CASE("values of environment that follow from variables are kept as they were written") {
  const VariableUse use = loaded(kShop, {{"MOOD", "green"}}).variables;
  CHECK(use.templates == std::map<std::string, std::string>{
                             {"services.web.environment.MOOD", "${MOOD:-grey}"},
                             {"services.web.environment.BOTH", "${MOOD:-x}-${COLOUR:-${MOOD:-y}}"},
                             {"services.worker.environment.MOOD", "is ${MOOD:-grey}"}});
  REQUIRE(use.elsewhere.size() == 1);
  CHECK(use.elsewhere.at("LEVEL").starts_with("compose.yaml:5:"));
  CHECK(use.loaded == std::map<std::string, std::string>{{"MOOD", "green"}});
  CHECK(use.values.empty());
  CHECK(parse_variable_use(to_json(use)) == use);
  CHECK(parse_variable_use(Json()) == VariableUse());
}

TEST_CASE("values are filled anew from what is set, and the rest of the model stays") {
  const Loaded before = loaded(kShop);
  const Json after = fill_anew(before.model, before.variables, {{"MOOD", "a$b"}, {"PLAIN", "2"}}, {});
  CHECK(value(after, "web", "MOOD") == "a$$b");
  CHECK(value(after, "web", "BOTH") == "a$$b-a$$b");
  CHECK(value(after, "worker", "MOOD") == "is a$$b");
  CHECK(value(after, "web", "PRICE") == "a$$b");
  CHECK(value(after, "worker", "PLAIN") == "1");
  // As if the file had been read with it.
  CHECK(after == loaded(kShop, {{"MOOD", "a$b"}}).model);
  CHECK(fill_anew(after, before.variables, {}, {}) == before.model);
}

TEST_CASE("a value that would be left without its variable is refused, with its name") {
  const Loaded before =
      loaded("services: {a: {build: ., command: x, environment: {X: '${X}', Y: 1}}}", {{"X", "1"}});
  CHECK_THROWS_WITH(fill_anew(before.model, before.variables, {}, {}),
                    "services.a.environment.X: variable X would have no value, and no default");
}

TEST_CASE("a bare name stands for its variable, and names that are sealed stay") {
  const Loaded bare =
      loaded("services: {a: {build: ., command: x, environment: [X, 'Y=${X}-${X}']}}", {{"X", "1"}});
  CHECK(bare.variables.templates.at("services.a.environment.X") == "${X}");
  const Json after = fill_anew(bare.model, bare.variables, {{"X", "2"}}, {});
  CHECK(value(after, "a", "X") == "2");
  CHECK(value(after, "a", "Y") == "2-2");
  const VariableUse use{.templates = {{"services.a.environment.X", "${S}:${X}"}}, .values = {{"X", "3"}}};
  CHECK(value(fill_anew(bare.model, use, {}, {"S"}), "a", "X") == "${S}:3");
}

TEST_CASE("every name in a template is found, also in defaults") {
  using Names = std::set<std::string>;
  CHECK(variables_in("").empty());
  CHECK(variables_in("$$A plain").empty());
  CHECK(variables_in("$A ${B} ${C:-$D} ${E:+${F}} ${G?no}") == Names{"A", "B", "C", "D", "E", "F", "G"});
}

TEST_CASE("the variables of a model that was not interpolated are listed with their defaults") {
  LoadOptions options;
  options.working_dir = "/srv/shop";
  options.steps.interpolate = false;
  const Loaded loaded =
      read_from(options, [](const std::filesystem::path& path) -> std::optional<std::string> {
        if (path != "/srv/shop/compose.yaml") return std::nullopt;
        return "services: {a: {image: '${A:+alt}${A:-def}${B-${C:-x}}${D:?must}$E$$F${', command: '$E'}}";
      });
  CHECK(loaded.model.at("services").at("a").at("image").string() ==
        "${A:+alt}${A:-def}${B-${C:-x}}${D:?must}$E$$F${");
  const auto all = variables_written(loaded.model);
  REQUIRE(all.size() == 5);
  CHECK(all.at("A").fallback == "def");
  CHECK(all.at("A").alternate == "alt");
  CHECK(all.at("B").fallback == "${C:-x}");
  CHECK(all.at("C").fallback == "x");
  CHECK(all.at("D").required);
  CHECK(all.at("E").fallback.empty());
}
