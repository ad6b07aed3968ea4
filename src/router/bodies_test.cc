#include <doctest/doctest.h>

#include <fstream>

#include "router/testbed.h"

using namespace holdall;
using namespace holdall::router;
using namespace holdall::router::testbed;
using namespace std::chrono_literals;

namespace {

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

std::string chunk(std::string_view data) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + std::string(data) + "\r\n";
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

constexpr const char* kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
constexpr const char* kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

// Says everything back until the router has nothing more to say.
void echo_all(Wire& wire) {
  char bytes[1 << 14];
  ssize_t got;
  while ((got = recv(wire.fd(), bytes, sizeof bytes, 0)) > 0) {
    if (!wire.send({bytes, static_cast<std::size_t>(got)})) return;
  }
  wire.half_close();
}

}  // namespace

TEST_CASE("large bodies pass both ways unchanged") {
  Bench bench;
  std::string body = pattern(3 << 20);
  Instance web([&](Wire& wire, int) {
    wire.head();
    wire.send(ok(wire.exactly(body.size())));
    wire.rest();
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  std::jthread sender([&] {
    wire.send("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  });
  Answer answer = read_answer(wire);
  CHECK(answer.status() == 200);
  CHECK((answer.body == body));
}

TEST_CASE("chunked bodies keep their framing and their trailers, both ways") {
  Bench bench;
  std::string body = chunk("hello") + chunk(pattern(100'000)) + "0\r\nX-Sum: 1\r\n\r\n";
  Instance web([&](Wire& wire, int) {
    std::string head = wire.head();
    bool trailers = has(head, "Trailer: X-Sum") && has(head, "\r\nTE: trailers") &&
                    has(head, "Transfer-Encoding: chunked");
    std::string got = wire.exactly(body.size());
    wire.send("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n");
    wire.send(trailers && got == body ? got : "0\r\n\r\n");
    wire.rest();
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  for (int i = 0; i < 2; ++i) {
    wire.send(
        "POST / HTTP/1.1\r\nHost: app.test\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: "
        "chunked\r\n\r\n" +
        body);
    if (i == 1) break;  // the instance answers one only
    CHECK(has(wire.head(), "Trailer: X-Sum"));
    CHECK((wire.exactly(body.size()) == body));
  }
}

TEST_CASE("an answer's head and body may come byte by byte") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    wire.head();
    for (char c : std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
      wire.send({&c, 1});
    wire.rest();
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  for (char c : get()) wire.send({&c, 1});
  CHECK(has(wire.head(), "200 OK"));
  CHECK(wire.until("0\r\n\r\n") == "3\r\nabc\r\n0\r\n\r\n");
}

TEST_CASE("with Expect: 100-continue the body waits for the instance's word") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    if (!has(wire.head(), "Expect: 100-continue")) return;
    wire.send("HTTP/1.1 100 Continue\r\n\r\n");
    wire.send(ok(wire.exactly(5)));
    wire.rest();
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send("POST / HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  CHECK(wire.head() == "HTTP/1.1 100 Continue\r\n\r\n");
  wire.send("hello");
  CHECK(read_answer(wire).body == "hello");
}

TEST_CASE("an answer before the end of the request closes the connection after it") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    wire.head();
    wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    wire.rest();
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000\r\n\r\nhello");
  Answer answer = read_answer(wire);
  CHECK(answer.status() == 403);
  CHECK(has(answer.head, "Connection: close"));
  wire.send("more");
  CHECK(wire.at_end());
  CHECK(bench.comes([](auto& c) { return c.served == 1; }));
}

TEST_CASE("an endless answer goes no faster than the client reads, in bounded memory") {
  Bench bench;
  std::atomic<std::size_t> sent = 0;
  std::string piece = chunk(pattern(64 << 10));
  Instance web([&](Wire& wire, int) {
    wire.head();
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (wire.send(piece)) sent += piece.size();
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send(get());
  CHECK(has(wire.head(), "200 OK"));
  // The instance stops when every buffer between it and the client is full.
  std::size_t last = 0;
  int still = 0;
  REQUIRE(Bench::eventually([&] {
    std::size_t now = sent;
    still = now == last && now > 0 ? still + 1 : 0;
    last = now;
    return still == 200;
  }));
  CHECK(last < (64u << 20));
  std::string some = wire.exactly(2 * piece.size());
  CHECK((some == piece + piece));
  wire.exactly(4 * last);  // and goes on when the client does
  CHECK(sent > last);
  wire.close();
  CHECK(bench.comes([](auto& c) { return c.left == 1 && c.failed.empty(); }));
}

TEST_CASE("an endless request goes no faster than the instance reads") {
  Bench bench;
  bench.pool.largest_body = 1ull << 40;
  std::promise<void> go;
  Instance web([&, gone = go.get_future().share()](Wire& wire, int) {
    wire.head();
    gone.wait();
    wire.until("\r\n0\r\n\r\n");
    wire.send(ok("all"));
    wire.rest();
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
  int flags = fcntl(wire.fd(), F_GETFL);
  fcntl(wire.fd(), F_SETFL, flags | O_NONBLOCK);
  std::string piece = chunk(pattern(64 << 10));
  std::size_t sent = 0;
  int full = 0;
  while (full < 200 && sent < (256u << 20)) {
    std::string_view rest = std::string_view(piece).substr(sent % piece.size());
    ssize_t got = ::send(wire.fd(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (got > 0) sent += static_cast<std::size_t>(got);
    full = got > 0 ? 0 : full + 1;
    if (got <= 0) poll(nullptr, 0, 1);
  }
  CHECK(sent < (64u << 20));
  fcntl(wire.fd(), F_SETFL, flags);
  go.set_value();
  wire.send(std::string_view(piece).substr(sent % piece.size()));
  wire.send("0\r\n\r\n");
  CHECK(read_answer(wire).body == "all");
}

TEST_CASE("an upgraded connection is a tunnel with two ends") {
  Bench bench;
  Instance web([](Wire& wire, int) {
    if (!has(wire.head(), "Connection: upgrade\r\n")) return;
    wire.send(std::string(kSwitched) + "early");
    echo_all(wire);
  });
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send(std::string(kUpgrade) + "sent at once");
  std::string head = wire.head();
  CHECK(has(head, "101 Switching Protocols"));
  CHECK(has(head, "Upgrade: websocket"));
  CHECK(has(head, "Connection: upgrade"));
  CHECK(wire.exactly(5) == "early");
  CHECK(wire.exactly(12) == "sent at once");
  std::string large = pattern(1 << 20);
  std::jthread sender([&] {
    wire.send(large);
    wire.half_close();
  });
  CHECK((wire.rest() == large));
  CHECK(bench.comes([](auto& c) { return c.served == 1; }));
}

TEST_CASE("an upgrade that the app refuses is an ordinary answer") {
  Bench bench;
  Instance web(answers("no"));
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  wire.send(kUpgrade);
  CHECK(read_answer(wire).body == "no");
  wire.send(get());
  CHECK(read_answer(wire).body == "no");
}

TEST_CASE("a raw listener passes bytes both ways with half-closed ends") {
  Bench bench;
  Instance database([](Wire& wire, int) { echo_all(wire); });
  bench.serve({database.port()});
  Wire wire = Wire::to(bench.port("tcp"));
  std::string large = pattern(1 << 20);
  std::jthread sender([&] {
    wire.send(large);
    wire.half_close();
  });
  CHECK((wire.rest() == large));
}

TEST_CASE("a stream waits for an instance too") {
  Bench bench;
  bench.serve({});
  Wire wire = Wire::to(bench.port("tcp"));
  wire.send("hello");
  Instance database([](Wire& wire, int) { echo_all(wire); });
  bench.serve({database.port()});
  CHECK(wire.exactly(5) == "hello");
}

TEST_CASE("a published port is HTTP if the connection begins like it, else a stream") {
  Limits limits;
  limits.sweep = 5ms;
  limits.sniff = 20ms;
  Bench bench(limits);
  SUBCASE("HTTP of any host") {
    Instance web(answers("hello"));
    bench.serve({web.port()});
    Wire wire = Wire::to(bench.port("detect"));
    wire.send("GE");
    wire.send("T / HTTP/1.1\r\nHost: whatever\r\n\r\n");
    Answer answer = read_answer(wire);
    CHECK(answer.body == "hello");
    CHECK(has(answer.head, "X-Request-ID: "));
  }
  SUBCASE("a protocol in which the server speaks first") {
    Instance database([](Wire& wire, int) {
      wire.send("220 ready\r\n");
      echo_all(wire);
    });
    bench.serve({database.port()});
    Wire wire = Wire::to(bench.port("detect"));
    CHECK(wire.exactly(11) == "220 ready\r\n");
    wire.send("HELO a\r\n");
    CHECK(wire.exactly(8) == "HELO a\r\n");
  }
  SUBCASE("bytes that are no HTTP") {
    Instance database([](Wire& wire, int) { echo_all(wire); });
    bench.serve({database.port()});
    for (const char* first : {"*1\r\n$4\r\nPING\r\n", "GET key\r\n", "PING\r\n", "\x16\x03\x01"}) {
      Wire wire = Wire::to(bench.port("detect"));
      wire.send(first);
      CHECK(wire.exactly(std::string_view(first).size()) == first);
    }
  }
}

TEST_CASE("each request leaves one line, with its id") {
  Bench bench(Limits{.sweep = 5ms});
  Pipe pipe = make_pipe(O_NONBLOCK);
  bench.log_to(pipe.write.get());
  Instance web(answers("hello"));
  bench.serve({web.port()});
  Answer answer = ask(bench.port(), get("/a\"b?secret", "User-Agent: test\xff\r\n"));
  std::string line;
  REQUIRE(Bench::eventually([&] {
    char bytes[8192];
    ssize_t got = read(pipe.read.get(), bytes, sizeof bytes);
    if (got > 0) line.append(bytes, static_cast<std::size_t>(got));
    return line.ends_with('\n');
  }));
  Json json = Json::parse(line);
  CHECK(json.at("Type").string() == "request.summary");
  const Json& fields = json.at("Fields");
  CHECK(fields.at("path").string() == "/a\"b");
  CHECK(fields.at("agent").string() == "test\xef\xbf\xbd");
  CHECK(fields.at("code").integer() == 200);
  CHECK(fields.at("errno").integer() == 0);
  CHECK(fields.at("bytes").integer() == 5);
  CHECK(fields.at("service").string() == "app/web");
  CHECK(has(answer.head, fields.at("rid").string()));
  CHECK(bench.dropped == 0);
}

TEST_CASE("a full pipe delays no request, and what it costs is counted") {
  Bench bench;
  Pipe pipe = make_pipe(O_NONBLOCK);
  bench.log_to(pipe.write.get());
  Instance web(answers("hello"));
  bench.serve({web.port()});
  Wire wire = Wire::to(bench.port());
  std::string path = "/" + std::string(900, 'a');
  for (int i = 0; i < 400; ++i) {
    wire.send(get(path));
    REQUIRE(read_answer(wire).status() == 200);
  }
  CHECK(bench.dropped > 0);
  bench.log_to(-1);
  bench.on_all([](Worker& worker, const auto& done) { worker.cut({}, [done](std::size_t) { done(); }); });
  std::string lines;
  char bytes[1 << 16];
  for (ssize_t got; (got = read(pipe.read.get(), bytes, sizeof bytes)) > 0;)
    lines.append(bytes, static_cast<std::size_t>(got));
  CHECK(lines.ends_with('\n'));
  CHECK(Json::parse(lines.substr(0, lines.find('\n'))).at("Fields").at("code").integer() == 200);
}
