#include <doctest/doctest.h>

#include "base/error.h"
#include "wire/wire.h"

using namespace holdall;

TEST_CASE("versions that differ in the minor number do not speak to each other before 1.0") {
  CHECK_NOTHROW(wire::check_versions("0.1.0", "0.1.7"));
  CHECK_NOTHROW(wire::check_versions("1.2.0", "1.3.0"));
  CHECK_NOTHROW(wire::check_versions("", "0.1.0"));
  CHECK_THROWS_WITH_AS(wire::check_versions("0.2.0", "0.1.0"),
                       doctest::Contains("install holdall 0.2.0 on the server"), Error);
  CHECK_THROWS_WITH_AS(wire::check_versions("0.1.0", "0.2.0"),
                       doctest::Contains("holdall 0.2.0 on this machine"), Error);
  CHECK_THROWS_AS(wire::check_versions("new", "0.1.0"), Error);
}

TEST_CASE("what a client asks arrives as it was asked") {
  wire::DeployRequest request{.model = Json::object({{"name", "hello"}}),
                              .artefacts = {{"web", "sha256:00"}},
                              .places = {{"services.web", "compose.yaml:2"}},
                              .commit = "4f2a91c-dirty",
                              .environment = "staging",
                              .development = true,
                              .force = true};
  CHECK(wire::parse_deploy_request(Json::parse(wire::to_json(request).print())) == request);
}

TEST_CASE("an instance and a line arrive as they were sent") {
  wire::Instance instance{.id = "01",
                          .service = "web",
                          .release = "v3",
                          .slot = 2,
                          .restarts = 1,
                          .health = "ready",
                          .address = "127.0.0.1:4000",
                          .reason = "",
                          .command = "python3 app.py",
                          .exit_code = 137,
                          .running_ms = 12};
  CHECK(wire::parse_instance(Json::parse(wire::to_json(instance).print())) == instance);
  instance.running_ms = -1;
  CHECK(wire::parse_instance(wire::to_json(instance)) == instance);

  wire::LogLine line{.service = "web",
                     .instance = "01",
                     .stream = "stderr",
                     .slot = 1,
                     .time = wall_time(1'800'000'000'123'456'789),
                     .next = 17,
                     .text = "a \"line\""};
  CHECK(wire::parse_log_line(Json::parse(wire::to_json(line).print())) == line);
}

TEST_CASE("percent-encoding leaves only what is unreserved") {
  CHECK(wire::percent_encode("[\"npm\",\"run\"]") == "%5B%22npm%22%2C%22run%22%5D");
  CHECK(wire::percent_encode("web-1._~") == "web-1._~");
}
