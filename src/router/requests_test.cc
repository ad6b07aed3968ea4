#include <doctest/doctest.h>

#include "router/testbed.h"

using namespace holdall;
using namespace holdall::router;
using namespace holdall::router::testbed;

namespace {

// Answers with the request head that came.
void echo_head(Wire& wire, int) {
  for (;;) {
    std::string head = wire.head();
    if (head.empty() || !wire.send(ok(head))) return;
  }
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("a request reaches the instance and its answer comes back") {
  Bench bench;
  Instance web(answers("hello"));
  bench.serve({web.port()});
  Answer answer = ask(bench.port());
  CHECK(answer.status() == 200);
  CHECK(answer.body == "hello");
  CHECK(bench.comes([](auto& c) { return c.served == 1; }));
}

TEST_CASE("connections are kept on both sides") {
  Bench bench;
  Instance web(answers("hello"));
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  for (int i = 0; i < 20; ++i) {
    wire.send(get());
    CHECK(read_answer(wire).body == "hello");
  }
  CHECK(web.connections() == 1);
}

TEST_CASE("pipelined requests are answered one after another") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    for (;;) {
      std::string head = wire.head();
      if (head.empty()) return;
      wire.send(ok(head.substr(0, head.find(' ', 4))));
    }
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  std::string all;
  for (int i = 0; i < 1000; ++i) all += get("/" + std::to_string(i));
  std::jthread sender([&] { wire.send(all); });
  for (int i = 0; i < 1000; ++i) {
    std::string body = read_answer(wire).body;
    if (body != "GET /" + std::to_string(i)) FAIL(body);
  }
}

TEST_CASE("what a stranger says of where a request comes from is replaced") {
  Bench bench;
  Instance web(echo_head);
  bench.serve({web.port()});
  Answer answer =
      ask(bench.port(),
          get("/a?b",
              "X-Request-ID: mine\r\nx-forwarded-for: 1.2.3.4\r\nX_Forwarded_Proto: https\r\n"
              "X-Forwarded-Host: evil\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nA: b\r\n"));
  CHECK(answer.body.starts_with("GET /a?b HTTP/1.1\r\nHost: app.test\r\nA: b\r\n"));
  CHECK(has(answer.body, "X-Forwarded-For: 127.0.0.1\r\n"));
  CHECK(has(answer.body, "X-Forwarded-Proto: http\r\n"));
  CHECK(has(answer.body, "X-Forwarded-Host: app.test\r\n"));
  CHECK(has(answer.body, "X-Forwarded-Port: 80\r\n"));
  for (const char* gone : {"mine", "1.2.3.4", "https", "evil", "X-Real-IP", "Forwarded:"})
    CHECK_FALSE(has(answer.body, gone));
  std::size_t at = answer.body.find("X-Request-ID: ");
  REQUIRE(at != std::string::npos);
  CHECK(has(answer.head, answer.body.substr(at, 14 + 36 + 2)));
}

TEST_CASE("headers for one hop are not passed on, those that framing needs are") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    std::string head = wire.head();
    std::string body = wire.exactly(3);
    wire.send(
        "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Request-ID: "
        "theirs\r\n"
        "Content-Length: " +
        std::to_string(head.size() + 3) + "\r\nX-End: 1\r\n\r\n" + head + body);
  });
  bench.serve({web.port()});
  Answer answer = ask(
      bench.port(),
      "POST / HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive, X-A, Content-Length, Host\r\nX-A: 1\r\n"
      "TE: trailers, deflate\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\n"
      "Content-Length: 3\r\nX-B: 1\r\n\r\nabc");
  for (const char* gone : {"X-A", "Proxy", "Keep-Alive", "Upgrade", "deflate", "keep-alive"})
    CHECK_FALSE(has(answer.body, gone));
  for (const char* kept :
       {"Host: app.test", "Content-Length: 3", "X-B: 1", "\r\nTE: trailers", "\r\n\r\nabc"}) {
    CHECK(has(answer.body, kept));
  }
  for (const char* gone : {"X-Hop", "Keep-Alive", "theirs", "Connection"})
    CHECK_FALSE(has(answer.head, gone));
  CHECK(has(answer.head, "X-End: 1\r\n"));
}

TEST_CASE("host and the longest path prefix choose the service, and the prefix may be cut off") {
  Bench bench;
  Instance web(echo_head);
  bench.serve({web.port()});
  CHECK(ask(bench.port(), get("/strip/a?b")).body.starts_with("GET /a?b HTTP/1.1\r\n"));
  CHECK(ask(bench.port(), get("/strip")).body.starts_with("GET / HTTP/1.1\r\n"));
  CHECK(ask(bench.port(), get("/stripped")).body.starts_with("GET /stripped HTTP/1.1\r\n"));
  CHECK(ask(bench.port(), "GET http://APP.test./a HTTP/1.1\r\nHost: app.TEST.\r\n\r\n")
            .body.starts_with("GET /a HTTP/1.1\r\n"));
  Answer unknown = ask(bench.port(), "GET /x HTTP/1.1\r\nHost: other.test\r\n\r\n");
  CHECK(unknown.status() == 404);
  CHECK(has(unknown.body, "other.test"));
}

TEST_CASE("requests that could be smuggled are refused and the connection is closed") {
  Bench bench;
  Instance web(answers("hello"));
  bench.serve({web.port()});
  for (const char* headers :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Transfer-Encoding : chunked\r\n", "Transfer-Encoding: chunked, identity\r\n", "A: b\n",
        " folded: 1\r\n", "Host: twice\r\n"}) {
    CAPTURE(headers);
    Wire wire = Wire::to(bench.port());
    wire.send("POST / HTTP/1.1\r\nHost: app.test\r\n" + std::string(headers) +
              "\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: app.test\r\n\r\n");
    Answer answer = read_answer(wire);
    CHECK(answer.status() == 400);
    CHECK(has(answer.head, "Connection: close"));
    CHECK(wire.rest().empty());
  }
  CHECK(web.connections() == 0);
  CHECK(ask(bench.port(), "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").status() == 405);
}

TEST_CASE("heads and bodies over the limit are refused") {
  Bench bench;
  Instance web([](Wire& wire, int) { wire.rest(); });
  bench.pool.largest_body = 1000;
  bench.serve({web.port()});
  CHECK(ask(bench.port(), get("/", "A: " + std::string(40'000, 'a') + "\r\n")).status() == 431);
  CHECK(ask(bench.port(), "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1001\r\n\r\n").status() ==
        413);
  std::string chunked = "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(ask(bench.port(), chunked + "400\r\n" + std::string(1024, 'a') + "\r\n").status() == 413);
  Wire wire = Wire::to(bench.port());
  wire.send(chunked + "200\r\n" + std::string(512, 'a') + "\r\n");
  REQUIRE(Bench::eventually([&] { return web.connections() > 0; }));
  wire.send("200\r\n" + std::string(512, 'a') + "\r\n");
  CHECK(read_answer(wire).status() == 413);
  CHECK(ask(bench.port(), chunked + "zz\r\n").status() == 400);
}

TEST_CASE("a head that does not come in time is given up") {
  Bench bench(Limits{.head = std::chrono::milliseconds(50), .sweep = std::chrono::milliseconds(5)});
  bench.serve({});
  Wire slow = Wire::to(bench.port()), silent = Wire::to(bench.port());
  slow.send("GET / HTTP/1.1\r\nHos");
  CHECK(read_answer(slow).status() == 408);
  CHECK(silent.at_end());
}

TEST_CASE("HEAD, 204 and 304 have no body, and the connection goes on") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    wire.head();
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    wire.head();
    wire.send("HTTP/1.1 204 No Content\r\n\r\n");
    wire.head();
    wire.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
    wire.head();
    wire.send(ok("last"));
    wire.rest();
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send("HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\n");
  CHECK(has(wire.head(), "Content-Length: 5"));
  wire.send(get());
  CHECK(has(wire.head(), "204 No Content"));
  wire.send(get());
  CHECK(has(wire.head(), "304 Not"));
  wire.send(get());
  CHECK(read_answer(wire).body == "last");
  CHECK(web.connections() == 1);
}

TEST_CASE("interim answers are passed on, but not to HTTP/1.0") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    while (!wire.head().empty()) wire.send("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok("hello"));
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send(get());
  CHECK(wire.head() == "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
  CHECK(read_answer(wire).body == "hello");
  Wire old = Wire::to(bench.port());
  old.send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n");
  Answer answer = read_answer(old);
  CHECK(answer.status() == 200);
  CHECK(has(answer.head, "Connection: close"));
  CHECK(old.rest().empty());
}

TEST_CASE(
    "a client of HTTP/1.0 gets a chunked answer without its framing, and keeps its connection if it asks") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    wire.head();
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    wire.head();
    wire.send(ok("kept"));
    wire.rest();
  });
  bench.serve({web.port()});
  Wire chunked = Wire::to(bench.port());
  chunked.send("GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n");
  std::string head = chunked.head();
  CHECK_FALSE(has(head, "chunked"));
  CHECK(has(head, "Connection: close"));
  CHECK(chunked.rest() == "hello world");
  Wire kept = Wire::to(bench.port());
  kept.send("GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n");
  CHECK(has(read_answer(kept).head, "Connection: keep-alive"));
}

TEST_CASE("an answer that ends with the connection ends the client's") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    wire.head();
    wire.send("HTTP/1.0 200 Fine\r\nX-A: 1\r\n\r\nhello");
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send(get());
  std::string head = wire.head();
  CHECK(head.starts_with("HTTP/1.1 200 Fine\r\n"));
  CHECK(has(head, "Connection: close"));
  CHECK(wire.rest() == "hello");
  CHECK_FALSE(wire.was_reset());
  CHECK(bench.comes([](auto& c) { return c.served == 1 && c.failed.empty(); }));
}

TEST_CASE("an app's own 5xx are served, and counted apart") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    wire.head();
    wire.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    wire.rest();
  });
  bench.serve({web.port()});
  CHECK(ask(bench.port()).status() == 503);
  CHECK(bench.comes([](auto& c) { return c.served == 1 && c.app_5xx == 1 && c.failed.empty(); }));
}

TEST_CASE("an answer that is no HTTP is a 502") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    wire.head();
    wire.send("hello\r\n\r\n");
    wire.rest();
  });
  bench.serve({web.port()});
  CHECK(ask(bench.port()).status() == 502);
  CHECK(bench.comes([](auto& c) { return c.failed["bad answer"] == 1; }));
}
