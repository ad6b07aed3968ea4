#include <doctest/doctest.h>

#include "base/error.h"
#include "wire/wire.h"

using namespace holdall;
using namespace holdall::wire;

TEST_CASE("messages arrive as they were sent, in whatever pieces their bytes come") {
  const std::string bytes = frame(Frame::output, "hello") + frame(Frame::alive) + frame(Frame::exit, "137") +
                            frame(Frame::output, std::string(kLargestFrame, 'x'));
  for (std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4096}, bytes.size()}) {
    FrameReader reader;
    std::vector<Frame> heard;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view(bytes).substr(at, piece));
      while (auto one = reader.next()) heard.push_back(std::move(*one));
    }
    REQUIRE(heard.size() == 4);
    CHECK(heard[0] == Frame{Frame::output, "hello"});
    CHECK(heard[1] == Frame{Frame::alive, ""});
    CHECK(heard[2] == Frame{Frame::exit, "137"});
    CHECK(heard[3].data.size() == kLargestFrame);
  }
}

TEST_CASE("a message that is too large is refused before it has come") {
  FrameReader reader;
  reader.feed(std::string_view("o\xff\xff\xff\xff", 5));
  CHECK_THROWS_AS(reader.next(), Error);
}

TEST_CASE("a window's size survives its two bytes each") {
  CHECK(parse_window(window_data({300, 7})) == WindowSize{300, 7});
  CHECK_THROWS_AS(parse_window("ab"), Error);
}

TEST_CASE("a request for a program reads back as it was written") {
  ProgramRequest request{.service = "web",
                         .index = 2,
                         .command = {"sh", "-c", "echo a b"},
                         .entrypoint = std::vector<std::string>{},
                         .environment = {{"A", "b=c"}},
                         .working_dir = "sub",
                         .user = "0",
                         .detach = true,
                         .terminal = WindowSize{120, 40}};
  ProgramRequest read = parse_program_request(Json::parse(to_json(request).print()));
  CHECK(to_json(read).print() == to_json(request).print());
  CHECK_THROWS_AS(parse_program_request(Json::parse(R"({"service": "web", "environment": {"A=B": "c"}})")),
                  Error);
  CHECK_THROWS_AS(parse_program_request(Json::parse("{}")), Error);
}
