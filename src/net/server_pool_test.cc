#include <algorithm>
#include <latch>

#include "net/server_scene_test.h"

namespace holdall::net {

using namespace std::chrono_literals;

namespace {

/// A server whose one thread is busy with a request until `finish`, and nothing may queue behind it.
class FullPool {
 public:
  explicit FullPool(std::vector<Route> others)
      : server_(with_slow(std::move(others)), {.threads = 1, .queued = 0}), slow_(server_.address()) {
    slow_.say("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    entered_.wait();
  }

  ClientResponse get(const std::string& target) {
    return fetch(server_.address(), {.target = target}, soon());
  }
  std::string finish() {
    leave_.count_down();
    return slow_.hear_all();
  }

 private:
  std::vector<Route> with_slow(std::vector<Route> routes) {
    routes.push_back({"GET", "/slow", [this](Request&) {
                        entered_.count_down();
                        leave_.wait();
                        return plain("slow");
                      }});
    return routes;
  }

  std::latch entered_{1}, leave_{1};
  ServerThread server_;
  Raw slow_;
};

}  // namespace

TEST_CASE("a client that only ended its own half still gets its answer") {
  ServerThread server({hello()});
  Raw client(server.address());
  client.say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  client.end_of_input();
  CHECK(client.hear_all().ends_with("hello"));
}

TEST_CASE("requests beyond threads and queue are refused with 503, inline ones are answered") {
  FullPool pool({{"GET", "/health", [](Request&) { return plain("well"); }, Lane::loop}, hello()});
  CHECK(pool.get("/hello").status == 503);
  CHECK(pool.get("/health").body == "well");
  CHECK(pool.finish().ends_with("slow"));
}

TEST_CASE("a server that is stopped finishes the request that is running") {
  std::latch entered(1), leave(1);
  ServerThread server({{"GET", "/slow", [&](Request&) {
                          entered.count_down();
                          leave.wait();
                          return plain("done");
                        }}});
  Raw client(server.address());
  client.say("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  entered.wait();
  server.begin_stop();
  leave.count_down();
  CHECK(client.hear_all().ends_with("done"));
}

TEST_CASE("many clients at once each get their own answer") {
  ServerThread server({echo()});
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        std::string body = std::to_string(i * 1000 + n);
        right +=
            fetch(server.address(), {.method = "POST", .target = "/echo", .body = body}, soon()).body == body;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 200);
}

TEST_CASE("each request is recorded once, with what became of it") {
  std::vector<RequestRecord> records;
  ServerOptions options;
  options.record = [&](const RequestRecord& record) { records.push_back(record); };
  options.largest_body = 8;
  {
    ServerThread server(
        {hello(),
         echo(),
         {"GET", "/bug", [](Request&) -> Response { throw std::out_of_range("off the map"); }},
         {"GET", "/who",
          [](Request& request) {
            request.log_fields["uid"] = "ada";
            throw Error(Error::denied, "not you");
            return plain("");
          }}},
        options);
    Raw client(server.address());
    client.say(
        "GET /hello?key=x HTTP/1.1\r\nHost: x\r\nX-Request-ID: r1\r\nUser-Agent: \xff\r\nAccept-Language: "
        "de\r\n"
        "X-Forwarded-For: 203.0.113.7,10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n\r\n"
        "GET /bug HTTP/1.1\r\nHost: x\r\n\r\nGET /who HTTP/1.1\r\nHost: x\r\n\r\nGET /%zz HTTP/1.1\r\nHost: "
        "x\r\n\r\n"
        "GET /none HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
    client.hear_all();
    Raw gone(server.address());
    gone.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12");
    gone.end_of_input();
    gone.hear_all();
    Raw babbler(server.address());
    babbler.say("what?\r\n\r\n");
    babbler.hear_all();
    server.stop();
  }
  REQUIRE(records.size() == 8);
  CHECK(records[0].path == "/hello");
  CHECK(records[0].id == "r1");
  CHECK(records[0].agent == "\xff");
  CHECK(records[0].language == "de");
  CHECK(records[0].addresses == std::vector<std::string>{"203.0.113.7", "10.0.0.1", "10.0.0.2"});
  CHECK(records[1].fault == "off the map");
  CHECK(records[1].fields.at("error").string() == "std::out_of_range");
  CHECK(records[2].fields.at("uid").string() == "ada");
  CHECK(records[2].fault == "");
  std::vector<int> statuses;
  for (const RequestRecord& record : records) statuses.push_back(record.status);
  CHECK(statuses == std::vector<int>{200, 500, 403, 400, 404, 413, 0, 400});
  CHECK(records[7].method == "");
}

TEST_CASE("a handler of the reserve answers though the pool is full") {
  FullPool pool({{"GET", "/health", [](Request&) { return plain("well"); }, Lane::reserve}});
  CHECK(pool.get("/health").body == "well");
  CHECK(pool.finish().ends_with("slow"));
}

TEST_CASE("a server that is stopped answers a request whose body is still on its way") {
  ServerThread server({echo(), hello()});
  Raw client(server.address());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n12");
  Raw idle(server.address());
  idle.say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.hear("hello");
  server.begin_stop();
  CHECK(idle.hear_all() == "");
  client.say("34");
  CHECK(client.hear_all().ends_with("1234"));
}

}  // namespace holdall::net
