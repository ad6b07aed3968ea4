#include "net/server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <stdexcept>

#include "net/client.h"
#include "net/fake.h"

namespace holdall::net {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(10s); }

Response plain(std::string body) {
  Response out;
  out.content_type = "text/plain";
  out.body = std::move(body);
  return out;
}

/// A client that says exactly what it is told to.
class Raw {
 public:
  explicit Raw(const Address& address) : socket_(connect(address, soon())) {}

  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent < 0) wait(POLLOUT);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void end_of_input() { shutdown(socket_.get(), SHUT_WR); }
  void hang_up() { socket_.reset(); }

  /// Reads until `mark` has come `times` times, or the end.
  std::string hear(std::string_view mark, int times = 1) {
    std::string out;
    char buffer[4096];
    while (count(out, mark) < times) {
      ssize_t got = recv(socket_.get(), buffer, sizeof buffer, 0);
      if (got == 0 || (got < 0 && errno != EAGAIN)) break;
      if (got < 0) wait(POLLIN);
      if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
  }
  std::string hear_all() { return hear("\xff"); }

 private:
  static int count(std::string_view text, std::string_view mark) {
    int out = 0;
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) ++out;
    return out;
  }
  void wait(short events) {
    pollfd what{socket_.get(), events, 0};
    REQUIRE(poll(&what, 1, soon().poll_ms()) > 0);
  }

  Fd socket_;
};

/// What a test knows of a stream source, whose life is the server's business.
struct StreamFacts {
  std::promise<void> started, destroyed;
  std::function<void()> wake;  ///< after `started`
  std::atomic<std::size_t> pulled{0};
};

class Numbers final : public StreamSource {
 public:
  Numbers(StreamFacts& facts, std::size_t most, std::string piece)
      : facts_(facts), most_(most), piece_(std::move(piece)) {}
  ~Numbers() override { facts_.destroyed.set_value(); }
  void start(std::function<void()> wake) override {
    facts_.wake = std::move(wake);
    facts_.started.set_value();
  }
  std::optional<std::string> next() override {
    if (facts_.pulled == most_) return piece_.empty() ? std::optional("") : std::nullopt;
    ++facts_.pulled;
    return piece_;
  }

 private:
  StreamFacts& facts_;
  std::size_t most_;
  std::string piece_;
};

Route stream_route(StreamFacts& facts, std::size_t most, const std::string& piece) {
  return {"GET", "/stream", [&facts, most, piece](Request&) {
            Response out;
            out.content_type = "text/plain";
            out.stream = std::make_unique<Numbers>(facts, most, piece);
            return out;
          }};
}

Route echo() {
  return {"POST", "/echo", [](Request& request) { return plain(std::move(request.body)); }};
}

Route hello() {
  return {"GET", "/hello", [](Request&) { return plain("hello"); }};
}

bool ready(std::promise<void>& promise) {
  return promise.get_future().wait_for(10s) == std::future_status::ready;
}

}  // namespace

TEST_CASE("a request reaches its handler with decoded parameters and query") {
  ServerThread server({{"GET", "/v1/apps/*/logs", [](Request& request) {
                          return plain(request.parameters[0] + " " + *request.parameter("a b") + " " +
                                       std::string(request.header("x-thing")));
                        }}});
  ClientRequest request{.target = "/v1/apps/a%2Fb/logs?x&a+b=%C3%A9", .headers = {{"X-Thing", "yes"}}};
  CHECK(fetch(server.address(), request, soon()).body == "a/b \xC3\xA9 yes");
}

TEST_CASE("pipelined requests are answered in order on one connection") {
  ServerThread server({hello(), echo()});
  Raw client(server.address());
  client.say(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
      "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "3\r\nthi\r\n2\r\nrd\r\n0\r\n\r\n");
  std::string answers = client.hear_all();
  auto first = answers.find("first"), second = answers.find("hello"), third = answers.find("third");
  CHECK(first < second);
  CHECK(second < third);
  CHECK(third != std::string::npos);
}

TEST_CASE("a request that comes byte by byte is understood") {
  ServerThread server({echo()});
  Raw client(server.address());
  for (char c : std::string_view("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"))
    client.say({&c, 1});
  CHECK(client.hear("hi").ends_with("\r\n\r\nhi"));
}

TEST_CASE("HEAD gets GET's head without its body") {
  ServerThread server({hello()});
  Raw client(server.address());
  client.say("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string answer = client.hear_all();
  CHECK(answer.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("a path that is not there is 404, another method 405 with Allow") {
  ServerThread server({hello()});
  auto nothing = fetch(server.address(), {.target = "/nothing"}, soon());
  CHECK(nothing.status == 404);
  CHECK(Json::parse(nothing.body).at("error").at("kind").string() == "missing");
  auto wrong = fetch(server.address(), {.method = "DELETE", .target = "/hello"}, soon());
  CHECK(wrong.status == 405);
  CHECK(wrong.header("allow") == "GET, HEAD");
}

TEST_CASE("an Error out of a handler is its answer, anything else a 500 that says nothing more") {
  ServerThread server({{"GET", "/error", [](Request&) -> Response { throw Error(Error::conflict, "taken"); }},
                       {"GET", "/bug", [](Request&) -> Response { throw std::out_of_range("secret"); }}});
  auto error = fetch(server.address(), {.target = "/error"}, soon());
  CHECK(error.status == 409);
  CHECK(error.body == R"({"error":{"kind":"conflict","message":"taken"}})");
  auto bug = fetch(server.address(), {.target = "/bug"}, soon());
  CHECK(bug.status == 500);
  CHECK(bug.body.find("secret") == std::string::npos);
}

TEST_CASE("each answer bears the request's id, or a new one") {
  ServerThread server({hello()});
  auto given = fetch(server.address(), {.target = "/hello", .headers = {{"X-Request-ID", "abc"}}}, soon());
  CHECK(given.header("x-request-id") == "abc");
  auto made = fetch(server.address(), {.target = "/missing"}, soon());
  CHECK(made.header("x-request-id").size() >= 16);
}

TEST_CASE("a malformed request is answered with 400 and the connection ends") {
  ServerThread server({hello()});
  for (const char* bytes :
       {"GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", "GET /hello HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    CAPTURE(bytes);
    Raw client(server.address());
    client.say(bytes);
    client.end_of_input();
    CHECK(client.hear_all().starts_with("HTTP/1.1 400 "));
  }
}

TEST_CASE("a broken chunk is answered with 400") {
  ServerThread server({echo()});
  Raw client(server.address());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  client.end_of_input();
  CHECK(client.hear_all().starts_with("HTTP/1.1 400 "));
}

TEST_CASE("a body of more than 1 MiB arrives in a file") {
  ServerThread server({{"PUT", "/file", [](Request& request) {
                          REQUIRE(request.body_file);
                          off_t size = lseek(request.body_file.get(), 0, SEEK_END);
                          char last[3];
                          REQUIRE(pread(request.body_file.get(), last, 3, size - 3) == 3);
                          return plain(std::to_string(size) + std::string(last, 3));
                        }}});
  std::string body = std::string(3 << 20, 'x') + "end";
  std::string expected = std::to_string(body.size()) + "end";
  CHECK(fetch(server.address(), {.method = "PUT", .target = "/file", .body = body}, soon()).body == expected);

  Fd file(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  REQUIRE(write(file.get(), body.data(), body.size()) == static_cast<ssize_t>(body.size()));
  ClientRequest by_file{.method = "PUT", .target = "/file", .body_file = file.get()};
  CHECK(fetch(server.address(), by_file, soon()).body == expected);

  Raw client(server.address());
  client.say(
      "PUT /file HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n300003\r\n");
  client.say(body);
  client.say("\r\n0\r\n\r\n");
  CHECK(client.hear_all().ends_with("\r\n\r\n" + expected));
}

TEST_CASE("a body over the limit is refused with 413 though the client goes on sending") {
  ServerOptions options;
  options.largest_body = 1000;
  ServerThread server({echo()}, options);
  ClientRequest request{.method = "POST", .target = "/echo", .body = std::string(4 << 20, 'x')};
  CHECK(fetch(server.address(), request, soon()).status == 413);
  Raw client(server.address());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
             std::string(1001, 'x'));
  client.end_of_input();
  CHECK(client.hear_all().starts_with("HTTP/1.1 413 "));
}

TEST_CASE("Expect: 100-continue is answered before the body, and not when the request is refused") {
  ServerThread server({echo()});
  Raw client(server.address());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.hear("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.say("ok");
  CHECK(client.hear("ok").starts_with("HTTP/1.1 200 "));

  Raw refused(server.address());
  refused.say("POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(refused.hear("\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

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

TEST_CASE("a client that only ended its own half still gets its answer") {
  ServerThread server({hello()});
  Raw client(server.address());
  client.say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  client.end_of_input();
  CHECK(client.hear_all().ends_with("hello"));
}

TEST_CASE("requests beyond threads and queue are refused with 503, inline ones are answered") {
  std::latch entered(1), leave(1);
  ServerOptions options;
  options.threads = 1;
  options.queued = 0;
  ServerThread server({{"GET", "/slow",
                        [&](Request&) {
                          entered.count_down();
                          leave.wait();
                          return plain("slow");
                        }},
                       {"GET", "/health", [](Request&) { return plain("well"); }, Lane::loop},
                       hello()},
                      options);
  Raw slow(server.address());
  slow.say("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  entered.wait();
  CHECK(fetch(server.address(), {.target = "/hello"}, soon()).status == 503);
  CHECK(fetch(server.address(), {.target = "/health"}, soon()).body == "well");
  leave.count_down();
  CHECK(slow.hear_all().ends_with("slow"));
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

TEST_CASE("a handler of the reserve answers though the pool is full") {
  std::latch entered(1), leave(1);
  ServerOptions options;
  options.threads = 1;
  options.queued = 0;
  ServerThread server({{"GET", "/slow",
                        [&](Request&) {
                          entered.count_down();
                          leave.wait();
                          return plain("slow");
                        }},
                       {"GET", "/health", [](Request&) { return plain("well"); }, Lane::reserve}},
                      options);
  Raw slow(server.address());
  slow.say("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  entered.wait();
  CHECK(fetch(server.address(), {.target = "/health"}, soon()).body == "well");
  leave.count_down();
  CHECK(slow.hear_all().ends_with("slow"));
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

TEST_CASE("a header of an answer with a line break in it makes it a 500") {
  ServerThread server({{"GET", "/split", [](Request&) {
                          Response out = plain("x");
                          out.headers.emplace_back("X-Note", "a\r\nSet-Cookie: b");
                          return out;
                        }}});
  ClientResponse answer = fetch(server.address(), {.target = "/split"}, soon());
  CHECK(answer.status == 500);
  CHECK(answer.header("Set-Cookie").empty());
}

TEST_CASE("a last ** takes what is left of a path, and no segment that hides a slash") {
  ServerThread server(
      {{"GET", "/files/**", [](Request& request) { return plain("[" + request.parameters[0] + "]"); }}});
  auto body = [&](const char* target) { return fetch(server.address(), {.target = target}, soon()).body; };
  CHECK(body("/files/a/b%20c.css") == "[a/b c.css]");
  CHECK(body("/files/") == "[]");
  CHECK(body("/files/a/") == "[a/]");
  for (const char* wrong : {"/files", "/files/a%2fb", "/files//a", "/files/a//b"}) {
    CHECK(fetch(server.address(), {.target = wrong}, soon()).status == 404);
  }
}

}  // namespace holdall::net
