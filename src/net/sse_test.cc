#include "net/sse.h"

#include <doctest/doctest.h>

namespace holdall::net {

TEST_CASE("an event survives being written and read") {
  auto events = SseParser().feed(sse_event("line", Json::object({{"text", "a\nb"}}), "7"));
  REQUIRE(events.size() == 1);
  CHECK(events[0].name == "line");
  CHECK(events[0].id == "7");
  CHECK(Json::parse(events[0].data).at("text").string() == "a\nb");
}

TEST_CASE("events are the same whatever pieces they come in") {
  std::string bytes =
      "event: a\r\ndata: 1\r\ndata: 2\r\n\r\n: a comment\ndata:3\n\nid: 9\n\nevent: b\rdata\r\r\n";
  SseParser whole, pieces;
  auto expected = whole.feed(bytes);
  std::vector<SseParser::Event> got;
  for (char c : bytes) {
    for (auto& event : pieces.feed({&c, 1})) got.push_back(event);
  }
  REQUIRE(expected.size() == 3);
  REQUIRE(got.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(got[i].data == expected[i].data);
  CHECK(got[0].data == "1\n2");
  CHECK(got[1].name == "");
  CHECK(got[2].name == "b");
  CHECK(got[2].id == "9");
}

TEST_CASE("an event that was not ended is not told") { CHECK(SseParser().feed("data: 1\n").empty()); }

}  // namespace holdall::net
