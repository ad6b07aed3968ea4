#include <doctest/doctest.h>

#include "router/page.h"
#include "router/testbed.h"

using namespace holdall;
using namespace holdall::router;
using namespace holdall::router::testbed;
using namespace std::chrono_literals;

TEST_CASE("in maintenance a request gets the page at once, and is counted apart") {
  Bench bench;
  Instance web(answers("hello"));
  bench.pool.maintenance = 0ms;
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  for (int i = 0; i < 2; ++i) {  // on one connection, which stays
    wire.send("GET / HTTP/1.1\r\nHost: app.test\r\nAccept: application/json\r\n\r\n");
    const Answer answer = read_answer(wire);
    CHECK(answer.status() == 503);
    CHECK(answer.head.find("Retry-After: 30\r\n") != std::string::npos);
    CHECK(answer.head.find("Content-Type: application/json\r\n") != std::string::npos);
    CHECK(answer.body == "{\"error\":{\"kind\":\"busy\",\"message\":\"down for maintenance\"}}\n");
  }
  CHECK(web.connections() == 0);
  CHECK(bench.comes([](auto& c) { return c.maintenance == 2 && c.failed.empty() && c.served == 0; }));
  bench.pool.maintenance.reset();
  bench.serve_pool();
  wire.send(get());
  CHECK(read_answer(wire).body == "hello");
}

TEST_CASE("requests that are held through a maintenance are served at its end") {
  Bench bench;
  Instance web(answers("hello"));
  bench.pool.maintenance = 60s;
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send(get());
  CHECK(ask(bench.port(), "GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n").status() == 404);  // after it
  CHECK(web.connections() == 0);
  bench.pool.maintenance.reset();
  bench.serve_pool();
  CHECK(read_answer(wire).body == "hello");
  CHECK(bench.comes([](auto& c) { return c.served == 1 && c.maintenance == 0; }));
}

TEST_CASE("requests that are held longer than a maintenance allows get the page") {
  Bench bench;
  Instance web(answers("hello"));
  bench.pool.maintenance = 50ms;
  bench.serve({web.port()});
  CHECK(ask(bench.port()).status() == 503);
  CHECK(bench.comes([](auto& c) { return c.maintenance == 1 && c.failed.empty(); }));
}

TEST_CASE("a service of the app itself is served in its maintenance, a stream from outside is closed") {
  Bench bench;
  bench.detect_is_internal = true;
  Instance web(answers("hello"));
  bench.pool.maintenance = 0ms;
  bench.serve({web.port()});
  CHECK(ask(bench.port("detect")).body == "hello");
  Wire stream = Wire::to(bench.port("tcp"));
  stream.send("anything");
  CHECK(stream.exactly(1).empty());
  CHECK(bench.comes([](auto& c) { return c.served == 1 && c.maintenance == 1; }));
}

TEST_CASE("the page is of the type that is asked for first") {
  auto type = [](std::string_view accept) { return std::string(maintenance_page(accept).type); };
  CHECK(type("").starts_with("text/plain"));
  CHECK(type("*/*").starts_with("text/plain"));
  CHECK(type("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8").starts_with("text/html"));
  CHECK(type("application/json").starts_with("application/json"));
  CHECK(type("text/html;q=0.5, application/json;q=0.9").starts_with("application/json"));
  CHECK(type("application/*").starts_with("application/json"));
  CHECK(type("text/html;q=0, */*").starts_with("text/plain"));
  CHECK(type("image/png").starts_with("text/plain"));
  CHECK(type(";;,,q=;=").starts_with("text/plain"));
}

TEST_CASE("a header is found in a written head, in any case and without what is around it") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\naCCept:  text/html \r\n\r\nAccept: body";
  CHECK(header_in(head, "Accept") == "text/html");
  CHECK(header_in(head, "Host") == "a");
  CHECK(header_in("GET / HTTP/1.1\r\n\r\n", "Accept").empty());
  CHECK(header_in("", "Accept").empty());
}
