#include <latch>

#include "net/server_scene_test.h"

namespace holdall::net {

using namespace std::chrono_literals;

TEST_CASE("a stream arrives whole, in whatever pieces its source had") {
  StreamFacts facts;
  ServerThread server({stream_route(facts, 1000, std::string(1000, 'x'))});
  std::size_t size = 0;
  auto answer = stream(server.address(), {.target = "/stream"}, soon(), [&](std::string_view piece) {
    size += piece.size();
    return true;
  });
  CHECK(answer.status == 200);
  CHECK(size == 1'000'000);
  CHECK(ready(facts.destroyed));
}

TEST_CASE("a source is not asked for more while its client does not read") {
  StreamFacts facts;
  ServerThread server({stream_route(facts, SIZE_MAX, std::string(1024, 'x')), hello()});
  Raw client(server.address());
  client.say("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(ready(facts.started));
  // The loop answers others meanwhile; once the kernel's buffers are full it has stopped asking.
  std::size_t before;
  do {
    before = facts.pulled;
    for (int i = 0; i < 20; ++i) REQUIRE(fetch(server.address(), {.target = "/hello"}, soon()).status == 200);
  } while (facts.pulled != before);
  constexpr std::size_t kUnsentAndKernels = 2048;  // KiB, with room for the largest socket buffers
  CHECK(before < kUnsentAndKernels);
  client.hang_up();
  CHECK(ready(facts.destroyed));
}

TEST_CASE("a stream is destroyed as soon as its client has gone, though it has nothing to say") {
  StreamFacts facts;
  ServerThread server({stream_route(facts, 0, "")});
  Raw client(server.address());
  client.say("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.hear("\r\n\r\n");
  REQUIRE(ready(facts.started));
  client.hang_up();
  REQUIRE(ready(facts.destroyed));
  facts.wake();  // late, and harmless
}

TEST_CASE("a stream whose client hung up while the handler ran is destroyed unstarted") {
  std::latch entered(1), leave(1);
  std::promise<void> destroyed;
  struct Source final : StreamSource {
    explicit Source(std::promise<void>& gone) : gone_(gone) {}
    ~Source() override { gone_.set_value(); }
    void start(std::function<void()>) override {}
    std::optional<std::string> next() override { return ""; }
    std::promise<void>& gone_;
  };
  ServerThread server({{"GET", "/late", [&](Request&) {
                          entered.count_down();
                          leave.wait();
                          Response out;
                          out.stream = std::make_unique<Source>(destroyed);
                          return out;
                        }}});
  Raw client(server.address());
  client.say("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
  entered.wait();
  client.hang_up();
  leave.count_down();
  CHECK(ready(destroyed));
}

TEST_CASE("a woken source is asked again") {
  struct Source final : StreamSource {
    explicit Source(std::promise<std::function<void()>>& wake) : wake_(wake) {}
    void start(std::function<void()> wake) override { wake_.set_value(std::move(wake)); }
    std::optional<std::string> next() override {
      return std::exchange(asked_, true) ? std::nullopt : std::optional("");
    }
    std::promise<std::function<void()>>& wake_;
    bool asked_ = false;
  };
  std::promise<std::function<void()>> wake;
  ServerThread server({{"GET", "/s", [&](Request&) {
                          Response out;
                          out.stream = std::make_unique<Source>(wake);
                          return out;
                        }}});
  Raw client(server.address());
  client.say("GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
  client.hear("\r\n\r\n");
  wake.get_future().get()();
  CHECK(client.hear("0\r\n\r\n") == "0\r\n\r\n");
}

TEST_CASE("a server that is stopped sends what a stream has, then cuts it") {
  StreamFacts facts;
  ServerThread server({stream_route(facts, 0, "")});
  Raw client(server.address());
  client.say("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.hear("\r\n\r\n");
  server.stop();
  CHECK(client.hear_all() == "");
  CHECK(ready(facts.destroyed));
}

TEST_CASE("a stream is recorded at its end, and a request that the stop cuts off as unanswered") {
  std::vector<RequestRecord> records;
  std::latch entered(1), leave(1);
  StreamFacts facts;
  ServerOptions options;
  options.record = [&](const RequestRecord& record) { records.push_back(record); };
  options.finish = 1ms;
  {
    ServerThread server({stream_route(facts, 3, "piece"),
                         {"GET", "/stuck",
                          [&](Request&) {
                            entered.count_down();
                            leave.wait();
                            return plain("late");
                          }}},
                        options);
    Raw reader(server.address());
    reader.say("GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    reader.hear_all();
    Raw stuck(server.address());
    stuck.say("GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n");
    entered.wait();
    server.stop();
    leave.count_down();
  }
  REQUIRE(records.size() == 2);
  CHECK(records[0].status == 200);
  CHECK(records[1].path == "/stuck");
  CHECK(records[1].status == 0);
}

TEST_CASE("a stream whose length is told is sent without chunks, and cut when it gives less") {
  StreamFacts whole, less;
  auto told = [](StreamFacts& facts, const char* path) {
    return Route{"GET", path, [&facts](Request&) {
                   Response out;
                   out.stream = std::make_unique<Numbers>(facts, 3, "12345");
                   out.length = 15;
                   return out;
                 }};
  };
  auto short_one = told(less, "/less");
  short_one.handler = [&](Request&) {
    Response out;
    out.stream = std::make_unique<Numbers>(less, 3, "12345");
    out.length = 16;
    return out;
  };
  ServerThread server({told(whole, "/whole"), std::move(short_one), hello()});
  Raw client(server.address());
  client.say(
      "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /whole HTTP/1.1\r\nHost: x\r\n\r\nGET /hello "
      "HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string said = client.hear("\r\n\r\nhello");
  CHECK(said.find("Content-Length: 15\r\n") != std::string::npos);
  CHECK(said.find("Transfer-Encoding") == std::string::npos);
  CHECK(said.find("\r\n\r\n123451234512345HTTP/1.1 200") != std::string::npos);
  CHECK_THROWS_AS(fetch(server.address(), {.target = "/less"}, soon()), Error);
}

}  // namespace holdall::net
