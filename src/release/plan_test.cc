#include "release/plan.h"

#include <doctest/doctest.h>

using namespace holdall;
using namespace holdall::release;

namespace {

Request request(const std::string& services, const std::string& artefact = "sha256:1f3a00000000") {
  Request request;
  request.model = Json::parse(R"({"name": "shop", "services": {)" + services + "}}");
  for (const auto& [service, model] : request.model.at("services").members())
    request.artefacts[service] = {artefact};
  return request;
}

Plan plan(const Request& before, const Request& after) {
  Serving serving{3, before, {}};
  for (const auto& [service, artefact] : before.artefacts)
    serving.groups[service] = group_id("shop", service, 3);
  return make_plan(serving, after, app::parse_model(after.model), 4);
}

const std::string kWeb =
    R"("web": {"command": ["serve"], "depends_on": {"db": {"condition": "service_started"}},
                            "environment": {"MOOD": "grey", "OLD": "x"}})";
const std::string kDb = R"("db": {"command": ["db"]})";

}  // namespace

TEST_CASE("a first release adds every service, each after what it depends on") {
  const Request wanted = request(kWeb + "," + kDb);
  const Plan plan = make_plan(std::nullopt, wanted, app::parse_model(wanted.model), 1);
  REQUIRE(plan.changes.size() == 2);
  CHECK(plan.changes[0].service == "db");
  CHECK(plan.changes[1].service == "web");
  CHECK(plan.changes[1].kind == Change::add);
  CHECK(plan.from == std::nullopt);
  CHECK_FALSE(plan.nothing_changed());
}

TEST_CASE("the same model and artefacts change nothing") {
  CHECK(plan(request(kWeb + "," + kDb), request(kWeb + "," + kDb)).nothing_changed());
}

TEST_CASE("only the service that changed is replaced, with what changed and where it is written") {
  Request after = request(
      R"("web": {"command": ["serve"], "depends_on": {"db": {"condition": "service_started"}},
                 "environment": {"MOOD": "green", "NEW": "y"}},)" +
      kDb);
  after.places["services.web.environment.MOOD"] = "compose.yaml:14";
  after.places["services.web"] = "compose.yaml:9";
  const Plan made = plan(request(kWeb + "," + kDb), after);
  CHECK(made.changes[0].kind == Change::keep);
  CHECK(made.changes[1].kind == Change::replace);
  CHECK(made.changes[1].why == std::vector<std::string>{"environment.MOOD  grey -> green   compose.yaml:14",
                                                        "environment.NEW  (none) -> y   compose.yaml:9",
                                                        "environment.OLD  x -> (none)   compose.yaml:9"});
}

TEST_CASE("another artefact replaces a service, another path of its context does not") {
  const std::string here = R"("web": {"command": ["serve"], "build": {"context": "/home/a/shop"}})";
  const std::string there = R"("web": {"command": ["serve"], "build": {"context": "/home/b/shop"}})";
  CHECK(plan(request(here), request(there)).nothing_changed());
  const Plan made = plan(request(here), request(here, "sha256:77b2a0c49999"));
  CHECK(made.changes[0].why == std::vector<std::string>{"artefact  1f3a0000 -> 77b2a0c4"});
}

TEST_CASE("a service that is not in the model any more is removed, after all others") {
  const Plan made =
      plan(request(kWeb + "," + kDb + R"(, "a": {"command": ["a"]})"), request(kWeb + "," + kDb));
  REQUIRE(made.changes.size() == 3);
  CHECK(made.changes[2].service == "a");
  CHECK(made.changes[2].kind == Change::remove);
  CHECK_FALSE(made.nothing_changed());
}

TEST_CASE("force replaces what has not changed") {
  Request after = request(kDb);
  after.force = true;
  const Plan made = plan(request(kDb), after);
  CHECK(made.changes[0].kind == Change::replace);
  CHECK(made.changes[0].why == std::vector<std::string>{"forced"});
}

TEST_CASE("a kept service keeps its group, every other gets one of the new release") {
  const Request before = request(kWeb + "," + kDb), after = request(kWeb + "," + kDb, "sha256:77b2a0c49999");
  Serving serving{3, before, {{"web", group_id("shop", "web", 2)}, {"db", group_id("shop", "db", 1)}}};
  Plan made = make_plan(serving, after, app::parse_model(after.model), 4);
  made.changes[0].kind = Change::keep;
  const auto groups = groups_of(made, serving);
  CHECK(groups.at("db") == GroupId{"shop/db@v1"});
  CHECK(groups.at("web") == GroupId{"shop/web@v4"});
  CHECK(release_of(groups.at("web")) == 4);
}

TEST_CASE("a plan names the routes and the published ports") {
  const Request wanted = request(
      R"("web": {"command": ["serve"], "x-holdall": {"route": ["Shop.example.com", "shop.example.com/api"]},
                 "ports": [{"mode": "ingress", "target": 80, "published": "5432", "protocol": "tcp"}]})");
  const Plan made = make_plan(std::nullopt, wanted, app::parse_model(wanted.model), 1);
  CHECK(made.routes == std::vector<std::string>{"shop.example.com", "shop.example.com/api"});
  CHECK(made.ports == std::vector<std::string>{":5432 -> web"});
}
