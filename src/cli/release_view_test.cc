#include "cli/release_view.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace holdall;
using namespace holdall::cli;

namespace {

Json report(int replicas) {
  Json instances = Json::array({});
  for (int slot = replicas; slot > 0; --slot) {
    instances.add(Json::object({{"name", fmt::format("web.{}", slot)},
                                {"service", "web"},
                                {"slot", slot},
                                {"ready_ms", static_cast<double>(slot == 10 ? 1 : slot + 1)}}));
  }
  return Json::object({{"instances", instances}});
}

}  // namespace

TEST_CASE(
    "the instances of a report are in the order of their numbers, and told together where they are many") {
  CHECK(report_lines(report(2)) == std::vector<std::string>{"  start     web.1 2.0 ms   web.2 3.0 ms"});
  CHECK(report_lines(report(12)) == std::vector<std::string>{"  start     web x12 1.0 ms to 13 ms"});
}
