#include "app/limits.h"

#include <doctest/doctest.h>

#include "app/app.h"
#include "base/error.h"

using namespace holdall;
using namespace holdall::app;

namespace {

/// A service with these keys, as a server reads it out of a model.
Service service(const std::string& keys) {
  const std::string text = R"({"name": "shop", "services": {"web": {"command": ["x"], )" + keys + "}}}";
  return parse_model(Json::parse(text)).services.at("web");
}

std::string fault(const std::string& keys) {
  try {
    service(keys);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("limits stand in the service or below deploy, and mean the same") {
  const Limits here =
      service(R"("mem_limit": "536870912", "mem_reservation": "1048576", "cpus": 0.5, "pids_limit": 100)")
          .limits;
  const Limits there = service(R"("deploy": {"resources": {"limits": {"cpus": 0.5, "memory": "536870912",
      "pids": 100}, "reservations": {"memory": "1048576"}}})")
                           .limits;
  CHECK(here == there);
  CHECK(here.memory == 512 << 20);
  CHECK(here.reserved_memory == 1 << 20);
  CHECK(here.cpu_thousandths == 500);
  CHECK(here.processes == 100);
  CHECK(here.swap == std::nullopt);
}

TEST_CASE("a limit that is written twice and differs is refused with both") {
  CHECK(fault(R"("mem_limit": "536870912", "deploy": {"resources": {"limits": {"memory": "1073741824"}}})")
            .find("is 536870912, and services.web.deploy.resources.limits.memory is 1073741824") !=
        std::string::npos);
  CHECK(fault(R"("cpus": 1, "deploy": {"resources": {"limits": {"cpus": 1}}})") == "none");
}

TEST_CASE("memswap_limit counts memory and swap together, -1 leaves swap alone") {
  CHECK(service(R"("mem_limit": "67108864", "memswap_limit": "67108864")").limits.swap == 0u);
  CHECK(service(R"("mem_limit": "67108864", "memswap_limit": "100000000")").limits.swap == 32891136u);
  CHECK(service(R"("mem_limit": "67108864", "memswap_limit": "-1")").limits.swap == kUnlimited);
  CHECK(service(R"("mem_limit": "67108864", "memswap_limit": "0")").limits.swap == std::nullopt);
  CHECK(fault(R"("memswap_limit": "67108864")").find("there is no limit of memory") != std::string::npos);
  CHECK(fault(R"("mem_limit": "67108864", "memswap_limit": "1000")").find("is less than") !=
        std::string::npos);
}

TEST_CASE("no limit is written as 0 or -1") {
  CHECK(service(R"("mem_limit": "-1", "pids_limit": -1, "cpus": 0)").limits == Limits());
  CHECK(service(R"("mem_limit": "0", "pids_limit": 0)").limits == Limits());
}

TEST_CASE("memory in which no program starts is refused") {
  CHECK(fault(R"("mem_limit": "1048576")").find("is less than 6 MiB") != std::string::npos);
  CHECK(fault(R"("mem_limit": "67108864", "mem_reservation": "100000000")").find("reserves") !=
        std::string::npos);
}

TEST_CASE("ulimits have a soft and a hard value, or one for both") {
  const Limits limits =
      service(R"("ulimits": {"nofile": {"soft": 1024, "hard": -1}, "nproc": 64, "core": 0})").limits;
  CHECK(limits.ulimits.at("nofile") == Ulimit{1024, kUnlimited});
  CHECK(limits.ulimits.at("nproc") == Ulimit{64, 64});
  CHECK(limits.ulimits.at("core") == Ulimit{0, 0});
  CHECK(fault(R"("ulimits": {"files": 3})").find("there is no such limit") != std::string::npos);
  CHECK(fault(R"("ulimits": {"nofile": {"soft": 3, "hard": 2}})").find("above the hard one") !=
        std::string::npos);
}

TEST_CASE("deploy.restart_policy is a restart policy, and wins over restart") {
  const Restart restart = service(R"("restart": "always", "deploy": {"restart_policy": {
      "condition": "on-failure", "delay": "5s", "max_attempts": 3, "window": "2m0s"}})")
                              .restart;
  CHECK(restart.policy == Restart::on_failure);
  CHECK(restart.most == 3);
  CHECK(restart.delay == std::chrono::seconds(5));
  CHECK(restart.window == std::chrono::minutes(2));
  CHECK(service(R"("deploy": {"restart_policy": {"condition": "none"}})").restart.policy == Restart::no);
  CHECK(service(R"("deploy": {"restart_policy": {"max_attempts": 2}})").restart.policy == Restart::always);
  CHECK(fault(R"("deploy": {"restart_policy": {"condition": "sometimes"}})").find("is no condition") !=
        std::string::npos);
}
