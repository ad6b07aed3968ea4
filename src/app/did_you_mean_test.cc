#include "app/did_you_mean.h"

#include <doctest/doctest.h>

#include <string>

using namespace holdall;
using namespace holdall::app;

namespace {

const Schema& service() { return *schema().below("services")->any; }

std::string remedy(const Schema& in, std::string_view path, std::string key) {
  return remedy_of_unknown(in, path, {std::move(key), {}, Node::string("x", {})});
}

}  // namespace

TEST_CASE("a misspelt key is told the nearest, however its words are joined, and a strange one nothing") {
  CHECK(remedy(service(), "services.web", "comand") == "did you mean 'command'?");
  CHECK(remedy(service(), "services.web", "port") == "did you mean 'ports'?");
  CHECK(remedy(service(), "services.web", "dependsOn") == "did you mean 'depends_on'?");
  CHECK(remedy(service(), "services.web", "env-file") == "did you mean 'env_file'?");
  CHECK(remedy(service(), "services.web", "network") == "did you mean 'networks'?");
  CHECK(remedy(*service().below("x-holdall"), "services.web.x-holdall", "drain_timout") ==
        "did you mean 'drain_timeout'?");
  CHECK(remedy(schema(), "", "service") == "did you mean 'services'?");
  CHECK(remedy(service(), "services.web", "frobnicate") == "remove it; a key of your own begins with x-");
  CHECK(remedy(service(), "services.web", std::string(1 << 20, 'x')) ==
        "remove it; a key of your own begins with x-");
}

TEST_CASE("what other tools call a key is told Compose's word") {
  CHECK(remedy(service(), "services.web", "env") == "did you mean 'environment'?");
  CHECK(remedy(service(), "services.web", "cmd") == "did you mean 'command'?");
  CHECK(remedy(service(), "services.web", "memory") == "did you mean 'mem_limit'?");
}

TEST_CASE("a key that belongs one level deeper or higher is told where") {
  CHECK(remedy(service(), "services.web", "replicas") ==
        "it belongs to 'deploy': write services.web.deploy.replicas");
  CHECK(remedy(service(), "services.web", "dockerfile") ==
        "it belongs to 'build': write services.web.build.dockerfile");
  CHECK(remedy(service(), "services.web", "reservations") ==
        "it belongs to 'resources': write services.web.deploy.resources.reservations");
  CHECK(remedy(*service().below("deploy"), "services.web.deploy", "restart") ==
        "it is a key of the service itself: indent it less");
  CHECK(remedy(schema(), "", "ports") == "it is a key of a service: write it below services.NAME");
  CHECK(remedy(service(), "services.volumes", "data") ==
        "'volumes:' stands at the top level: write it without indentation");
}

TEST_CASE("a service at the top level is told to stand below services") {
  Node value = Node::empty(Node::Kind::mapping, {});
  value.set("image", Node::string("x", {}));
  CHECK(remedy_of_unknown(schema(), "", {"web", {}, value}) ==
        "a service stands below 'services:': indent it there");
}

TEST_CASE("a name that is near to none is answered with what there is to do") {
  CHECK(did_you_mean({"frontend", "backend"}, "fronted", "declare it") == "did you mean 'frontend'?");
  CHECK(did_you_mean({"db"}, "cache", "declare it") == "declare it");
  CHECK(did_you_mean({"db"}, "dbs", "declare it") == "declare it");
  CHECK(did_you_mean({"data"}, "dta", "declare it") == "did you mean 'data'?");
  CHECK(did_you_mean({}, "x", "declare it") == "declare it");
}
