#include "api/log_stream.h"

#include <doctest/doctest.h>

#include <fstream>

#include "api/world_test.h"

using namespace holdall;
using namespace holdall::api;

namespace {

/// What the instances of `hello` said, as their shims left it.
struct Said {
  explicit Said(World& world) : world(world) { world.run("grey"); }

  void line(const std::string& service, const std::string& instance, const std::string& text) const {
    auto dir = logs::instance_dir(world.state.path / "logs", "hello", service, 1, {instance});
    std::filesystem::create_directories(dir);
    std::ofstream(dir / "stdout.00000000000000000000.log", std::ios::app) << text << "\n";
  }

  std::vector<std::string> read(const std::string& query) const {
    std::vector<std::string> lines;
    for (const auto& event : world.events("/v1/apps/hello/logs?" + query)) {
      REQUIRE(event.name == "line");
      wire::LogLine line = wire::parse_log_line(Json::parse(event.data));
      lines.push_back(line.service + ": " + line.text);
    }
    return lines;
  }

  World& world;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("everything that instances said is told, and what is not followed ends") {
  World world;
  Said said(world);
  said.line("web", "01a", "one");
  said.line("web", "01a", "two");
  CHECK(said.read("") == Lines{"web: one", "web: two"});
}

TEST_CASE("the last lines of a slot reach back over its instances") {
  World world;
  Said said(world);
  said.line("web", "01a", "one");
  said.line("web", "01a", "two");
  said.line("web", "01b", "three");
  CHECK(said.read("tail=2") == Lines{"web: two", "web: three"});
  CHECK(said.read("tail=0").empty());
}

TEST_CASE("only the services that are asked for are told") {
  World world;
  Said said(world);
  said.line("web", "01a", "one");
  said.line("db", "01c", "two");
  said.line("cache", "01d", "three");
  CHECK(said.read("service=db") == Lines{"db: two"});
  CHECK(said.read("service=db,web").size() == 2);
}

TEST_CASE("a client that was cut off goes on where it was") {
  World world;
  Said said(world);
  said.line("web", "01a", "one");
  said.line("web", "01a", "two");
  auto events = world.events("/v1/apps/hello/logs");
  std::uint64_t next = wire::parse_log_line(Json::parse(events[0].data)).next;
  std::string from = Json::object({{"01a", Json::array({next, 0})}}).print();
  CHECK(said.read("from=" + wire::percent_encode(from)) == Lines{"web: two"});
}

TEST_CASE("following tells what comes, from instances that come too") {
  World world;
  Said said(world);
  said.line("web", "01a", "one");
  Lines lines;
  net::SseParser parser;
  net::stream(world.server->address(), {.target = "/v1/apps/hello/logs?follow=1"},
              Deadline::after(std::chrono::seconds(20)), [&](std::string_view bytes) {
                for (const auto& event : parser.feed(bytes)) {
                  lines.push_back(wire::parse_log_line(Json::parse(event.data)).text);
                  if (lines.size() == 1) said.line("web", "01a", "two");
                  if (lines.size() == 2) said.line("worker", "01b", "three");
                }
                return lines.size() < 3;
              });
  CHECK(lines == Lines{"one", "two", "three"});
}
