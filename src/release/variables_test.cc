// Variables that are set on the server.

#include "app/app.h"
#include "base/error.h"
#include "release/house_test.h"

using namespace holdall;
using namespace holdall::release;
using supervise::Health;

namespace {

using Strings2 = std::map<std::string, std::string>;

/// hello as a client sends it that knew what is set.
Request moody(House& house, const Strings2& loaded = {}) {
  Request wanted = house.web(loaded.contains("MOOD") ? loaded.at("MOOD") : "grey");
  wanted.variable_use.templates["services.web.environment.MOOD"] = "${MOOD:-grey}";
  wanted.variable_use.elsewhere["TAG"] = "compose.yaml:3";
  wanted.variable_use.loaded = loaded;
  return wanted;
}

std::string mood(House& house) { return house.supervisor.wanted().at(0).workload.environment.at("MOOD"); }

Release set(House& house, const Strings2& values, const std::set<std::string>& unset = {}) {
  const VariablesSet done = house.releases->set_variables("hello", values, unset, "uid 0 (root)");
  REQUIRE(done.release.has_value());
  return house.finish(done.release->number);
}

}  // namespace

TEST_CASE("setting a variable releases what serves with its values filled anew, and so does unsetting it") {
  House house;
  house.run(moody(house));
  CHECK(set(house, {{"MOOD", "green"}}).step == Step::live);
  CHECK(mood(house) == "green");
  CHECK(house.targets() == Strings{"hello/web@v2#1"});
  const AppVariables now = house.releases->variables("hello");
  CHECK(now.set.at("MOOD").value == "green");
  CHECK(now.services.at("web").at(0).origin.starts_with("compose.yaml:14, MOOD set by uid 0 (root) at "));
  set(house, {}, {"MOOD"});
  CHECK(mood(house) == "grey");
  CHECK(house.releases->variables("hello").set.empty());
}

TEST_CASE(
    "what is set holds in later deploys, whose clients knew it; others are told to read the file anew") {
  House house;
  house.run(moody(house));
  set(house, {{"MOOD", "green"}});
  CHECK_THROWS_WITH(house.releases->deploy(moody(house)), doctest::Contains("deploy again"));
  CHECK_FALSE(house.releases->deploy(moody(house, {{"MOOD", "green"}})).has_value());
  Request wanted = moody(house, {{"MOOD", "green"}});
  wanted.force = true;
  house.run(wanted);
  CHECK(house.releases->variables("hello").set.at("MOOD").value == "green");
}

TEST_CASE("a rollback brings back the variables of its release") {
  House house;
  house.run(moody(house));
  set(house, {{"MOOD", "green"}});
  house.finish(house.releases->rollback("hello", 1, "me").number);
  CHECK(mood(house) == "grey");
  CHECK(house.releases->variables("hello").set.empty());
}

TEST_CASE("a set whose release fails is not set") {
  House house;
  house.run(moody(house));
  house.supervisor.begins("web", Health::failed, "exited with code 1");
  CHECK(set(house, {{"MOOD", "green"}}).step == Step::failed);
  CHECK(house.releases->variables("hello").set.empty());
}

TEST_CASE("a variable that nobody uses is kept, and said so") {
  House house;
  house.run(moody(house));
  const VariablesSet done = house.releases->set_variables("hello", {{"LATER", "1"}}, {}, "me");
  CHECK(done.unused == Strings{"LATER"});
  house.finish(done.release->number);
  CHECK(house.wanted() == Strings{"hello/web@v1"});
  CHECK(house.releases->variables("hello").set.contains("LATER"));
}

TEST_CASE("what is set before the first release waits for it") {
  House house;
  CHECK_FALSE(
      house.releases->set_variables("hello", {{"MOOD", "green"}, {"X", "1"}}, {}, "me").release.has_value());
  house.releases->set_variables("hello", {}, {"X"}, "me");
  house.restart();
  CHECK(house.releases->variables("hello").set.at("MOOD").value == "green");
  CHECK_THROWS_WITH(house.releases->deploy(moody(house)), doctest::Contains("deploy again"));
  house.run(moody(house, {{"MOOD", "green"}}));
  CHECK(house.releases->variables("hello").set.size() == 1);
}

TEST_CASE("what cannot be set is refused with all that is wrong, and changes nothing") {
  House house;
  CHECK_THROWS_WITH(house.releases->variables("hello"), "no app 'hello'");
  house.run(moody(house));
  const auto refusal = [&](const Strings2& values, const std::set<std::string>& unset = {}) {
    try {
      house.releases->set_variables("hello", values, unset, "me");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal({{"1X", "1"}, {"HOLDALL_ENV", "x"}}) ==
        "'1X' is no name of a variable\nHOLDALL_ENV is given by holdall itself\n  choose another name");
  CHECK(refusal({{"TAG", "1"}}).starts_with("TAG is used at compose.yaml:3"));
  CHECK(refusal({}, {"NONE"}) == "variable NONE is not set; see: holdall env");
  CHECK(house.releases->list("hello").size() == 1);
}
