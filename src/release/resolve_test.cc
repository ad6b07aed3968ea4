#include "release/resolve.h"

#include <doctest/doctest.h>

#include "base/fake.h"
#include "engine/fake.h"

using namespace holdall;
using namespace holdall::release;

namespace {

app::App app_of(app::Service service) {
  app::App app{.name = "shop", .services = {}, .service_order = {service.name, "cache-db"}};
  app.services[service.name] = service;
  app.services["cache-db"].name = "cache-db";
  return app;
}

app::Service web() {
  app::Service service;
  service.name = "web";
  service.entrypoint = {"run"};
  service.command = {"--serve", "web"};
  return service;
}

supervise::Group resolved(const app::Service& service, const ResolveFor& release = {3, "", false, {}}) {
  return resolve(app_of(service), service, {"sha256:1f3a"}, release);
}

}  // namespace

TEST_CASE("a group runs entrypoint and command from the release's artefact") {
  const supervise::Group group = resolved(web());
  CHECK(group.id == GroupId{"shop/web@v3"});
  CHECK(group.workload.command == std::vector<std::string>{"run", "--serve", "web"});
  CHECK(group.workload.artefact == Digest{"sha256:1f3a"});
}

TEST_CASE("an instance sees its release, its environment and where the other services are") {
  const auto group = resolved(web(), {3, "staging", false, {{"web", 20001}, {"cache-db", 20002}}});
  CHECK(group.workload.environment == std::map<std::string, std::string>{{"HOLDALL_ENV", "staging"},
                                                                         {"HOLDALL_RELEASE", "v3"},
                                                                         {"CACHE_DB_HOST", "127.0.0.1"},
                                                                         {"CACHE_DB_PORT", "20002"}});
}

TEST_CASE("a declared name wins over every name that Holdall would give") {
  app::Service service = web();
  service.environment = {{"CACHE_DB_PORT", "6379"}, {"HOLDALL_RELEASE", "mine"}};
  const auto environment = resolved(service, {3, "", false, {{"cache-db", 20002}}}).workload.environment;
  CHECK(environment.at("CACHE_DB_PORT") == "6379");
  CHECK(environment.at("HOLDALL_RELEASE") == "mine");
}

TEST_CASE("no restart policy means on-failure in a release, and no restart in development") {
  CHECK(resolved(web()).restart.kind == supervise::RestartPolicy::on_failure);
  CHECK(resolved(web(), {3, "", true, {}}).restart.kind == supervise::RestartPolicy::no);
  app::Service service = web();
  service.restart = {app::Restart::unless_stopped, 0};
  CHECK(resolved(service).restart.kind == supervise::RestartPolicy::always);
  service.restart = {app::Restart::on_failure, 5};
  CHECK(resolved(service).restart == supervise::RestartPolicy{supervise::RestartPolicy::on_failure, 5});
}

TEST_CASE("the gate is the first of x-holdall.ready, healthcheck and port that there is") {
  app::Service service = web();
  CHECK(resolved(service).gate.kind == supervise::Gate::Kind::running);
  service.port = 3000;
  CHECK(resolved(service).gate.kind == supervise::Gate::Kind::port);
  service.healthcheck =
      app::Healthcheck{.command = {"check"}, .interval = std::chrono::seconds(7), .retries = 4};
  supervise::Gate gate = resolved(service).gate;
  CHECK(gate.kind == supervise::Gate::Kind::command);
  CHECK(gate.command == std::vector<std::string>{"check"});
  CHECK(gate.interval == std::chrono::seconds(7));
  CHECK(gate.later_interval == std::chrono::seconds(7));
  CHECK(gate.retries == 4);
  service.ready = app::Ready{.path = "/up", .command = {}, .later_interval = {}};
  gate = resolved(service).gate;
  CHECK(gate.kind == supervise::Gate::Kind::http);
  CHECK(gate.path == "/up");
  CHECK(gate.retries == 1);
  CHECK(gate.later_interval == std::chrono::seconds(10));
}

TEST_CASE("a disabled healthcheck gates nothing") {
  app::Service service = web();
  service.healthcheck = app::Healthcheck{};
  CHECK(resolved(service).gate.kind == supervise::Gate::Kind::running);
}

TEST_CASE("limits are the engine's as the file has them, and those that do not hold are named by service") {
  app::Service service = web();
  service.limits.memory = 64 << 20;
  service.limits.cpu_thousandths = 250;
  service.limits.ulimits = {{"nofile", {1024, 4096}}};
  const engine::Limits limits = resolved(service).workload.limits;
  CHECK(limits.memory == 64 << 20);
  CHECK(limits.cpu_thousandths == 250);
  CHECK(limits.ulimits == std::vector<engine::Ulimit>{{"nofile", 1024, 4096}});
  FakeClock clock;
  engine::FakeEngine machine{clock};
  CHECK(unenforced_limits(machine, app_of(service)).empty());
  machine.limits_memory = false;
  CHECK(unenforced_limits(machine, app_of(service)) ==
        std::vector<std::string>{"web: the memory limit is not enforced"});
}

TEST_CASE("a heartbeat is looked for three times in the period in which it is due") {
  app::Service service = web();
  service.ready = app::Ready{.file = "beat"};
  const supervise::Gate gate = resolved(service).gate;
  CHECK(gate.kind == supervise::Gate::Kind::file);
  CHECK(gate.path == "beat");
  CHECK(gate.period == std::chrono::seconds(10));
  CHECK(gate.later_interval == gate.period / 3);
  service.ready->later_interval = std::chrono::milliseconds(300);
  CHECK(resolved(service).gate.interval == std::chrono::milliseconds(100));
  service.drain_timeout = std::chrono::seconds(7);
  CHECK(resolved(service).drain == std::chrono::seconds(7));
}

TEST_CASE("a port of readiness is asked instead of the instance's own") {
  app::Service service = web();
  service.ready = app::Ready{.port = 9000};
  const supervise::Gate gate = resolved(service).gate;
  CHECK(gate.kind == supervise::Gate::Kind::port);
  CHECK(gate.port == 9000);
}
