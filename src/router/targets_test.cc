#include <doctest/doctest.h>

#include "router/testbed.h"

using namespace holdall;
using namespace holdall::router;
using namespace holdall::router::testbed;
using namespace std::chrono_literals;

namespace {

Limits quick() {
  Limits limits;
  limits.sweep = 5ms;
  return limits;
}

std::uint16_t closed_port() {
  Fd listener = net::listen({"127.0.0.1", 0, ""});
  return port_of(listener);
}

std::string post(std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("an instance that does not accept is passed over, for any method") {
  Bench bench(quick());
  Instance web(answers("hello"));
  bench.serve({closed_port(), web.port(), closed_port()});
  for (int i = 0; i < 10; ++i) {
    CHECK(ask(bench.port()).body == "hello");
    CHECK(ask(bench.port(), post("abc")).status() == 200);
  }
  CHECK(bench.comes([](auto& c) { return c.served == 20 && c.failed.empty(); }));
}

TEST_CASE("requests go to the instance with the fewest, and by turns among equals") {
  Bench bench;
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  auto slow = [gone](Wire& wire, int) {
    while (!wire.head().empty()) {
      gone.wait();
      wire.send(ok("x"));
    }
  };
  Instance one(slow), two(slow), three(slow);
  bench.serve({one.port(), two.port(), three.port()});
  std::list<Wire> wires;
  for (int i = 0; i < 9; ++i) {
    wires.push_back(Wire::to(bench.port()));
    wires.back().send(get());
  }
  CHECK(Bench::eventually([&] { return one.connections() + two.connections() + three.connections() == 9; }));
  CHECK(one.connections() == 3);
  CHECK(two.connections() == 3);
  go.set_value();
  for (Wire& wire : wires) CHECK(read_answer(wire).status() == 200);
}

TEST_CASE("without a ready instance a request is held until a table brings one") {
  Bench bench(quick());
  bench.serve({});
  Wire wire = Wire::to(bench.port()), with_body = Wire::to(bench.port());
  wire.send(get());
  with_body.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhe");
  Instance web([](Wire& wire, int) {
    std::string head = wire.head();
    if (has(head, "Content-Length: 5")) head = wire.exactly(5);
    wire.send(ok(has(head, "GET") ? "got" : head));
    wire.rest();
  });
  bench.serve({web.port()});
  CHECK(read_answer(wire).body == "got");
  with_body.send("llo");
  CHECK(read_answer(with_body).body == "hello");
  CHECK(bench.comes([](auto& c) { return c.served == 2 && c.failed.empty(); }));
}

TEST_CASE("a request is held for the pool's hold timeout, then answered 503 with its cause") {
  Bench bench(quick());
  bench.pool.hold_timeout = 30ms;
  bench.serve({});
  Answer none = ask(bench.port());
  CHECK(none.status() == 503);
  CHECK(has(none.head, "Retry-After: "));
  CHECK(bench.comes([](auto& c) { return c.failed["no instance"] == 1; }));
  bench.serve({closed_port(), closed_port()});
  CHECK(ask(bench.port(), post("abc")).status() == 503);
  CHECK(bench.comes([](auto& c) { return c.failed["connect"] == 1; }));
}

TEST_CASE("a held request is tried again when instances begin to accept without a new table") {
  Bench bench(quick());
  std::uint16_t port = closed_port();
  bench.serve({port});
  Wire wire = Wire::to(bench.port());
  wire.send(get());
  REQUIRE(Bench::eventually([&] { return bench.fleet.find({Bench::target(port).id}).size() == 1; }));
  Fd late = net::listen({"127.0.0.1", port, ""});
  pollfd coming{late.get(), POLLIN, 0};
  REQUIRE(poll(&coming, 1, 10'000) == 1);
  Wire instance(Fd(accept4(late.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  instance.head();
  instance.send(ok("late"));
  CHECK(read_answer(wire).body == "late");
}

TEST_CASE("no more requests are held than the limit") {
  Limits limits = quick();
  limits.held = 2;
  Bench bench(limits);
  bench.serve({});
  Wire one = Wire::to(bench.port()), two = Wire::to(bench.port());
  one.send(get());
  two.send(get());
  // One of three must be turned away, whichever comes last.
  Wire three = Wire::to(bench.port());
  three.send(get());
  CHECK(bench.comes([](auto& c) { return c.failed["overloaded"] == 1; }));
  Instance web(answers("hello"));
  bench.serve({web.port()});
  CHECK(bench.comes([](auto& c) { return c.served == 2; }));
}

TEST_CASE("a client that leaves while it is held or served is counted as left, not as failed") {
  Bench bench(quick());
  bench.serve({});
  Wire held = Wire::to(bench.port());
  held.send(get());
  held.close();
  CHECK(bench.comes([](auto& c) { return c.left == 1; }));
  std::promise<void> hung_up;
  Instance web([&](Wire& wire, int) {
    wire.head();
    if (wire.rest().empty()) hung_up.set_value();
  });
  bench.serve({web.port()});
  Wire waiting = Wire::to(bench.port());
  waiting.send(get());
  REQUIRE(Bench::eventually([&] { return web.connections() == 1; }));
  waiting.close();
  CHECK(hung_up.get_future().wait_for(10s) == std::future_status::ready);
  CHECK(bench.comes([](auto& c) { return c.left == 2 && c.failed.empty(); }));
}

TEST_CASE("an instance that hangs up after each answer loses no request") {
  Limits limits;
  std::string request = "GET / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc";
  SUBCASE("idempotent ones are sent again") {}
  SUBCASE("others never take a connection that is not proven") {
    request = post("abc");
    limits.kept_proof = 1h;  // however slowly it hangs up
  }
  Bench bench(limits);
  Instance web([](Wire& wire, int) {
    wire.head();
    wire.exactly(3);
    wire.send(ok("once"));
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  for (int i = 0; i < 50; ++i) {
    wire.send(request);
    REQUIRE(read_answer(wire).body == "once");
  }
  CHECK(bench.comes([](auto& c) { return c.served == 50 && c.failed.empty(); }));
}

TEST_CASE("a kept connection closed before any byte of the answer: an idempotent request is sent again") {
  Bench bench;
  Instance web([](Wire& wire, int number) {
    wire.head();
    wire.send(ok("first"));
    wire.head();
    if (number > 0) wire.send(ok("again"));
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send(get());
  CHECK(read_answer(wire).body == "first");
  wire.send(get());
  CHECK(read_answer(wire).body == "first");
  CHECK(web.connections() == 2);
  CHECK(bench.comes([](auto& c) { return c.served == 2 && c.failed.empty(); }));
}

TEST_CASE("a request that was sent once and must not be sent twice fails as closed") {
  Bench bench;
  std::atomic<int> posts = 0;
  Instance web([&](Wire& wire, int) {
    wire.head();
    wire.exactly(3);
    ++posts;
  });
  bench.serve({web.port()});
  CHECK(ask(bench.port(), post("abc")).status() == 502);
  CHECK(posts == 1);
  CHECK(bench.comes([](auto& c) { return c.failed["closed"] == 1; }));
}

TEST_CASE("a request that must not be sent twice takes a kept connection only if it is fresh and proven") {
  Limits limits = quick();
  int expected = 2;
  SUBCASE("too old") { limits.kept_proof = limits.fresh_enough = 0ms; }
  SUBCASE("not proven") { limits.kept_proof = 1h; }
  SUBCASE("both") {
    limits.kept_proof = 0ms;
    expected = 1;
  }
  Bench bench(limits);
  Instance web([](Wire& wire, int) {
    for (;;) {
      std::string head = wire.head();
      if (head.empty()) return;
      if (has(head, "POST")) wire.exactly(3);
      wire.send(ok("x"));
    }
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  for (const std::string& request : {get(), post("abc")}) {
    wire.send(request);
    read_answer(wire);
  }
  CHECK(web.connections() == expected);
  wire.send(get());
  read_answer(wire);
  CHECK(web.connections() == expected);
}

TEST_CASE("an answer that the instance ends early fails, and the client notices") {
  Bench bench;
  Instance web([](Wire& wire, int number) {
    wire.head();
    const char* heads[] = {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                           "HTTP/1.1 200 OK\r\n\r\nhello"};
    wire.send(heads[number]);
    if (number == 2) wire.reset();
  });
  bench.serve({web.port()});
  for (int i = 0; i < 3; ++i) {
    CAPTURE(i);
    Wire wire = Wire::to(bench.port());
    wire.send(get());
    wire.head();
    wire.rest();
    CHECK(wire.was_reset());
  }
  CHECK(bench.comes([](auto& c) { return c.failed["closed"] == 3 && c.served == 0; }));
}

TEST_CASE("an instance that does not answer in time is a 504") {
  Bench bench(quick());
  bench.pool.response_timeout = 30ms;
  Instance web([](Wire& wire, int) { wire.rest(); });
  bench.serve({web.port()});
  CHECK(ask(bench.port()).status() == 504);
  CHECK(bench.comes([](auto& c) { return c.failed["timeout"] == 1; }));
}

TEST_CASE("a target that leaves the table keeps its requests and loses its kept connections at once") {
  Bench bench;
  std::promise<void> go;
  Instance old([&, gone = go.get_future().share()](Wire& wire, int) {
    while (!wire.head().empty()) {
      if (wire.fd() < 0) return;
      gone.wait();
      wire.send(ok("old"));
    }
  });
  Instance fresh(answers("new"));
  bench.serve({old.port()});
  Wire running = Wire::to(bench.port());
  running.send(get());
  REQUIRE(Bench::eventually([&] { return old.connections() == 1; }));
  LiveTarget& target = *bench.fleet.find({Bench::target(old.port()).id}).at(0);
  bench.serve({fresh.port()});
  CHECK(ask(bench.port()).body == "new");
  CHECK(target.running == 1);
  target.watched = true;  // keeps it in the fleet
  go.set_value();
  CHECK(read_answer(running).body == "old");
  CHECK(Bench::eventually([&] { return target.unused(); }));
  CHECK(target.finished - target.finished_when_left == 1);
  running.send(get());
  CHECK(read_answer(running).body == "new");
}

TEST_CASE("what still runs at the drain deadline is cut, and counted as that") {
  Bench bench;
  Instance web([](Wire& wire, int number) {
    wire.head();
    if (number == 1) wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    wire.rest();
  });
  bench.serve({web.port()});
  Wire unanswered = Wire::to(bench.port()), begun = Wire::to(bench.port());
  unanswered.send(get());
  REQUIRE(Bench::eventually([&] { return web.connections() == 1; }));
  begun.send(get());
  CHECK(has(begun.head(), "200 OK"));
  auto targets = bench.fleet.find({Bench::target(web.port()).id});
  bench.serve({});
  CHECK(bench.cut(targets) == 2);
  CHECK(read_answer(unanswered).status() == 503);
  CHECK(begun.rest().empty());
  CHECK(bench.comes([](auto& c) { return c.cut == 2 && c.failed.empty() && c.left == 0; }));
}
