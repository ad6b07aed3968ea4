#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/instances_view.h"
#include "cli/release_view.h"
#include "cli/terminal.h"

using namespace holdall;
using namespace holdall::cli;

namespace {

/// A file in the place of a terminal: what people would read on a pipe.
struct Paper {
  Fd file{memfd_create("paper", MFD_CLOEXEC)};
  Terminal terminal{file.get(), "auto"};

  std::string text() const {
    std::string text(4096, '\0');
    text.resize(static_cast<std::size_t>(pread(file.get(), text.data(), text.size(), 0)));
    return text;
  }
};

void tell(ReleaseView& view, const char* kind, const char* data) {
  view.show(Json::object({{"sequence", 1}, {"at", ""}, {"kind", kind}, {"data", Json::parse(data)}}));
}

constexpr const char* kPlan = R"({"app": "hello", "from": "v1", "to": "v2", "unchanged": false,
  "changes": [{"service": "web", "kind": "replace", "replicas": 3,
               "why": ["environment.MOOD  grey -> green   compose.yaml:14"]},
              {"service": "db", "kind": "keep", "replicas": 1, "why": []}],
  "routes": ["hello.localhost"], "ports": [], "secrets": {"DB_PASSWORD": ["db", "web"], "API_KEY": ["web"], "OLD": []}})";

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

TEST_CASE("a release is told as it goes, without colour on a pipe") {
  Paper paper;
  ReleaseView view(&paper.terminal);
  tell(view, "plan", kPlan);
  tell(view, "start", R"({"service": "web", "group": "hello/web@v2", "replicas": 2})");
  tell(view, "ready", R"({"service": "web", "slot": 2, "name": "web.2", "ready_ms": 16.2})");
  tell(view, "ready", R"({"service": "web", "slot": 1, "name": "web.1", "ready_ms": 15.4})");
  tell(view, "switch", R"({"from": "v1", "to": "v2", "took_ms": 1.5})");
  CHECK_FALSE(view.live());
  tell(view, "live", R"({"overhead_ms": 23, "start_ms": 39, "urls": ["http://hello.localhost:8080/"]})");
  CHECK(view.live());
  tell(view, "drain", R"({"complete": true, "finished": 38, "cut": 0, "took_ms": 41})");
  CHECK_FALSE(view.finished());
  tell(view, "done", R"({"report": {"requests": {"served": 1024, "failed": 0, "cut": 0, "releases": {}}}})");
  CHECK(view.finished());
  CHECK_FALSE(view.failed());
  CHECK(paper.text() ==
        "  plan      ~ web x3   = db x1   route hello.localhost\n"
        "  secrets   DB_PASSWORD -> db, web   API_KEY -> web   OLD -> no service   verified\n"
        "  change    web.environment.MOOD  grey -> green   compose.yaml:14\n"
        "  start     web.1 15 ms   web.2 16 ms     v1 serves\n"
        "  switch    v1 -> v2 in 1.5 ms\n"
        "  live      http://hello.localhost:8080/\n"
        "  live      overhead 23 ms beyond the app's own start\n"
        "  drain     38 requests finished on v1 in 41 ms\n"
        "  requests  1024 served   0 failed\n");
}

TEST_CASE(
    "the instances of a report are in the order of their numbers, and told together where they are many") {
  CHECK(report_lines(report(2)) == std::vector<std::string>{"  start     web.1 2.0 ms   web.2 3.0 ms"});
  CHECK(report_lines(report(12)) == std::vector<std::string>{"  start     web x12 1.0 ms to 13 ms"});
}

TEST_CASE("a failure is told with its reason, the last lines and what serves") {
  Paper paper;
  ReleaseView view(&paper.terminal);
  tell(view, "plan", kPlan);
  tell(view, "failed",
       R"({"reason": "web.1 exited with code 3", "kept": "v1", "lines": ["Traceback", "KeyError"]})");
  CHECK(view.failed());
  CHECK(paper.text() ==
        "  plan      ~ web x3   = db x1   route hello.localhost\n"
        "  secrets   DB_PASSWORD -> db, web   API_KEY -> web   OLD -> no service   verified\n"
        "  change    web.environment.MOOD  grey -> green   compose.yaml:14\n"
        "  failed    web.1 exited with code 3\n"
        "            | Traceback\n"
        "            | KeyError\n"
        "  kept      v1 serves; v2 never got a request\n");
}

TEST_CASE("a failure that was waited for says how long, and JSON lines of a log are told in words") {
  Paper paper;
  ReleaseView view(&paper.terminal);
  tell(view, "failed",
       R"({"reason": "web.1 listens on 127.0.0.1:3000", "kept": "v2", "start_ms": 2192.4, "lines":
    ["{\"Timestamp\":1,\"Type\":\"service.ready\",\"Fields\":{\"port\":3000,\"msg\":\"serving:\\nall\",\"on\":\"lo\"}}",
     "{\"Timestamp\":1", "{\"Timestamp\":1,\"Type\":\"tick\"}"]})");
  CHECK(paper.text() ==
        "  failed    web.1 listens on 127.0.0.1:3000   after 2.2 s\n"
        "            | service.ready  serving:\n"
        "            | all  port=3000  on=lo\n"
        "            | {\"Timestamp\":1\n"
        "            | tick\n"
        "  kept      v2 serves; it never got a request\n");
}

TEST_CASE("what failed is counted by release and cause, and what nobody knows is called so") {
  auto lines = report_lines(Json::parse(R"({"requests": {"served": 5, "failed": 2, "cut": 1,
    "releases": {"hello/v2": {"failed": {"timeout": 2}}}}})"));
  CHECK(lines == std::vector<std::string>{"  requests  5 served   2 failed   1 cut   2 timeout: hello/v2"});
  lines = report_lines(Json::parse(R"({"requests": {"unknown": "router restarted at T"}})"));
  CHECK(lines == std::vector<std::string>{"  requests  unknown: router restarted at T"});
}

TEST_CASE("an instance's status is worded as Compose words it, with why it is not ready") {
  wire::Instance instance{.health = "ready", .running_ms = 180'000};
  CHECK(status_text(instance) == "Up 3 minutes (ready)");
  instance = {.health = "unready", .reason = "GET /up answered 500", .running_ms = 1'000};
  CHECK(status_text(instance) == "Up 1 second (unready): GET /up answered 500");
  instance = {.health = "failed", .reason = "", .exit_code = 3};
  CHECK(status_text(instance) == "Exited (3)");
  instance = {.health = "waiting", .reason = "", .exit_code = 137};
  CHECK(status_text(instance) == "Restarting (137)");
}

TEST_CASE("Compose's field names are Compose's") {
  wire::Instance instance{
      .id = "01a", .service = "web", .release = "v3", .slot = 2, .health = "ready", .running_ms = 5};
  const Json json = compose_instance(instance, "hello");
  CHECK(json.at("Name").string() == "hello-web.2");
  CHECK(json.at("State").string() == "running");
  CHECK(json.at("Health").string() == "healthy");
  CHECK(json.at("Service").string() == "web");
  CHECK(json.at("ExitCode").integer() == 0);
}

TEST_CASE("a table's columns are as wide as their widest cell, and no line ends in blanks") {
  Table table({"A", "LONG"});
  table.row({"wide cell", "x"});
  CHECK(table.text() == "A          LONG\nwide cell  x\n");
}

TEST_CASE("colour is for terminals, unless it is asked for") {
  CHECK(Terminal(-1, "auto").paint(Colour::red, "x") == "x");
  CHECK(Terminal(-1, "never").paint(Colour::red, "x") == "x");
  CHECK(Terminal(-1, "always").paint(Colour::red, "x") == "\x1b[31mx\x1b[0m");
}
