#include <doctest/doctest.h>

#include "base/error.h"
#include "supervise/supervise.h"

using namespace holdall;
using namespace holdall::supervise;

TEST_CASE("a group reads back as it was written") {
  Group group{
      .id = {"shop/web@v3"}, .workload = {}, .replicas = 3, .has_port = true, .gate = {}, .restart = {}};
  group.workload = {.app = "shop",
                    .service = "web",
                    .artefact = {"sha256:00"},
                    .command = {"./web", "--loud"},
                    .environment = {{"A", "1"}, {"B", ""}},
                    .working_dir = "srv",
                    .stop_signal = 2,
                    .stop_grace = std::chrono::milliseconds(1500)};
  group.gate = {.kind = Gate::Kind::http,
                .path = "/up",
                .status_from = 200,
                .status_to = 204,
                .command = {"x"},
                .interval = std::chrono::nanoseconds(1),
                .later_interval = std::chrono::nanoseconds(2),
                .timeout = std::chrono::nanoseconds(3),
                .start_timeout = std::chrono::nanoseconds(4),
                .start_period = std::chrono::nanoseconds(5),
                .retries = 6};
  group.gate.port = 9000;
  group.gate.period = std::chrono::seconds(3);
  group.restart = {.kind = RestartPolicy::on_failure,
                   .most = 5,
                   .delay = std::chrono::seconds(2),
                   .window = std::chrono::seconds(1)};
  group.drain = std::chrono::seconds(30);
  group.workload.limits = {.memory = 1 << 20, .swap = 0, .processes = 7, .ulimits = {{"core", 0, 0}}};
  CHECK(parse_group(Json::parse(to_json(group).print())) == group);
  CHECK(parse_group(to_json(Group())) == Group());
}

TEST_CASE("a group of an unknown kind of gate is refused") {
  Json json = to_json(Group());
  json["gate"]["kind"] = "telepathy";
  CHECK_THROWS_WITH_AS(parse_group(json), doctest::Contains("telepathy"), Error);
}
