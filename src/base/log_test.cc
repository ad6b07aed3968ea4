#include "base/log.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <limits>
#include <set>

using namespace holdall;

namespace {

Json line(const Json& fields, std::string_view message = "") {
  return Json::parse(log::mozlog_line(log::Severity::info, "release.switched", "holdall.control", message,
                                      fields, 1'795'212'673'941'031'425));
}

}  // namespace

TEST_CASE("a log line has mozlog's envelope") {
  Json said = line(Json::object({{"release", "v2"}}), "switched");
  CHECK(said.at("Timestamp").integer() == 1'795'212'673'941'031'425);
  CHECK(said.at("Type").string() == "release.switched");
  CHECK(said.at("Logger").string() == "holdall.control");
  CHECK_FALSE(said.at("Hostname").string().empty());
  CHECK(said.at("EnvVersion").string() == "2.0");
  CHECK(said.at("Severity").integer() == 6);
  CHECK(said.at("Pid").integer() == getpid());
  CHECK(said.at("Fields") == Json::parse(R"({"msg":"switched","release":"v2"})"));
  std::set<std::string> allowed{"Timestamp",  "Type",     "Logger", "Hostname",
                                "EnvVersion", "Severity", "Pid",    "Fields"};
  for (const auto& [name, value] : said.members()) CHECK(allowed.contains(name));
}

TEST_CASE("fields hold only what mozlog's strict schema takes") {
  Json said = line(Json::object({{"none", nullptr},
                                 {"nested", Json::object({{"a", 1}})},
                                 {"empty", Json::array()},
                                 {"mixed", Json::array({1, "a"})},
                                 {"list", Json::array({"a", "b"})},
                                 {"on", true},
                                 {"part", 0.5}}));
  CHECK(
      said.at("Fields") ==
      Json::parse(
          R"({"nested":"{\"a\":1}","empty":"[]","mixed":"[1,\"a\"]","list":["a","b"],"on":true,"part":0.5})"));
}

TEST_CASE(
    "a line without a message and without fields has no Fields, as an empty one is against the schema") {
  CHECK(line(Json::object()).find("Fields") == nullptr);
}

TEST_CASE("a line break stays inside the line") {
  std::string said = log::mozlog_line(log::Severity::error, "t", "l", "two\nlines", Json::object(), 1);
  CHECK(said.find('\n') == std::string::npos);
}

TEST_CASE("a number that JSON cannot write goes as text") {
  Json said = line(Json::object({{"part", std::numeric_limits<double>::quiet_NaN()},
                                 {"most", Json::array({1, std::numeric_limits<double>::infinity()})}}));
  CHECK(said.at("Fields") == Json::parse(R"({"part":"nan","most":"[1,null]"})"));
}
