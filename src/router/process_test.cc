#include "router/process.h"

#include <doctest/doctest.h>

#include "base/files.h"
#include "net/handover.h"
#include "router/testbed.h"

using namespace holdall;
using namespace holdall::router;
using namespace holdall::router::testbed;
using namespace std::chrono_literals;

namespace {

Deadline soon() { return Deadline::after(10s); }

/// A router process as serve and control see it, in a thread.
class World {
 public:
  World() {
    auto [here, there] = net::handover_pair();
    serve = std::move(here);
    thread_ = std::jthread([this, there = std::make_shared<Fd>(std::move(there))] {
      Process process(std::move(*there), 2);
      process.run(stop);
    });
  }
  ~World() { poke(stop); }

  void listen(const std::string& name) {
    Fd socket = net::listen({"127.0.0.1", 0, ""});
    port = port_of(socket);
    net::send(serve, Json::object({{"type", "listen"}, {"name", name}}), {socket.get()}, soon());
  }
  Fd connect_control() {
    auto [to_router, to_control] = net::handover_pair();
    net::send(serve, Json::object({{"type", "control"}}), {to_control.get()}, soon());
    return std::move(to_router);
  }
  void join() { thread_.join(); }

  Fd serve, stop = make_event();
  std::uint16_t port = 0;

 private:
  std::jthread thread_;
};

RouteTable table(std::uint64_t version, const std::vector<std::uint16_t>& ports) {
  RouteTable table;
  table.version = version;
  table.listeners = {{"http", {"127.0.0.1", 80, ""}, Listener::http, ""}};
  table.routes = {{"app.test", "/", false, "app/web"}};
  Pool pool;
  pool.name = "app/web";
  for (std::uint16_t port : ports) pool.targets.push_back(Bench::target(port));
  table.pools = {pool};
  return table;
}

Fd memfd(const RouteTable& table) { return sealed_memfd("table", to_json(table).print()); }

Json next(const Fd& control) {
  auto message = net::receive(control, soon());
  REQUIRE(message);
  return message->body;
}

Json publish(const Fd& control, const RouteTable& table) {
  Fd file = memfd(table);
  net::send(control, Json::object({{"type", "table"}, {"version", table.version}}), {file.get()}, soon());
  return next(control);
}

void drain(const Fd& control, int id, std::uint16_t port, int timeout_ms) {
  Json targets = Json::array();
  targets.add(Bench::target(port).id.value);
  net::send(control,
            Json::object({{"type", "drain"}, {"id", id}, {"targets", targets}, {"timeout_ms", timeout_ms}}),
            {}, soon());
}

/// A router with one request running, which is answered when `go` is set, and one connection that is silent.
struct Busy : World {
  Busy() {
    listen("http");
    control = connect_control();
    next(control);
    publish(control, table(1, {web.port()}));
    running = std::make_unique<Wire>(Wire::to(port));
    silent = std::make_unique<Wire>(Wire::to(port));
    running->send(get());
    REQUIRE(Bench::eventually([&] { return web.connections() == 1; }));
  }

  std::promise<void> go;
  Instance web{[gone = go.get_future().share()](Wire& wire, int) {
    wire.head();
    gone.wait();
    wire.send(ok("last"));
  }};
  Fd control;
  std::unique_ptr<Wire> running, silent;
};

}  // namespace

TEST_CASE("a new router serves the table that serve kept, without control") {
  World world;
  Instance web(answers("hello"));
  Fd file = memfd(table(7, {web.port()}));
  net::send(world.serve, Json::object({{"type", "table"}}), {file.get()}, soon());
  world.listen("http");
  CHECK(ask(world.port).body == "hello");
  Json hello;
  // One worker serves it; the version is told once all do.
  REQUIRE(Bench::eventually(
      [&] { return (hello = next(world.connect_control())).at("version").integer() == 7; }));
  CHECK(hello.at("type").string() == "hello");
  CHECK(hello.at("protocol").integer() == 1);
}

TEST_CASE("a table is acknowledged once it is served, and an older one is refused") {
  World world;
  world.listen("http");
  Fd control = world.connect_control();
  CHECK(next(control).at("version").integer() == 0);
  Instance one(answers("one")), two(answers("two"));
  CHECK(publish(control, table(1, {one.port()})) == Json::object({{"type", "ack"}, {"version", 1}}));
  CHECK(ask(world.port).body == "one");
  CHECK(publish(control, table(3, {two.port()})).at("type").string() == "ack");
  CHECK(ask(world.port).body == "two");
  CHECK(publish(control, table(2, {one.port()})).at("type").string() == "refused");
  CHECK(ask(world.port).body == "two");
  RouteTable twice = table(4, {});
  twice.routes.push_back(twice.routes[0]);
  CHECK(publish(control, twice).at("type").string() == "refused");
}

TEST_CASE("a new control takes the place of the one before") {
  World world;
  Fd first = world.connect_control();
  next(first);
  Fd second = world.connect_control();
  next(second);
  CHECK_THROWS_AS(net::receive(first, soon()), Error);
  CHECK(publish(second, table(1, {})).at("type").string() == "ack");
}

TEST_CASE("a drain is answered when the last request has ended") {
  World world;
  world.listen("http");
  Fd control = world.connect_control();
  next(control);
  std::promise<void> go;
  Instance old([&, gone = go.get_future().share()](Wire& wire, int) {
    wire.head();
    gone.wait();
    wire.send(ok("old"));
    wire.rest();
  });
  Instance fresh(answers("new"));
  publish(control, table(1, {old.port()}));
  Wire running = Wire::to(world.port);
  running.send(get());
  REQUIRE(Bench::eventually([&] { return old.connections() == 1; }));
  publish(control, table(2, {fresh.port()}));
  drain(control, 1, old.port(), 60'000);
  drain(control, 2, 1, 60'000);  // of a target that nobody knows: at once
  CHECK(next(control).at("id").integer() == 2);
  go.set_value();
  CHECK(read_answer(running).body == "old");
  CHECK(next(control) ==
        Json::object({{"type", "drained"}, {"id", 1}, {"complete", true}, {"cut", 0}, {"finished", 1}}));
}

TEST_CASE("a drain is answered at its deadline, with what was cut") {
  World world;
  world.listen("http");
  Fd control = world.connect_control();
  next(control);
  Instance old([](Wire& wire, int) { wire.rest(); });
  publish(control, table(1, {old.port()}));
  Wire running = Wire::to(world.port);
  running.send(get());
  REQUIRE(Bench::eventually([&] { return old.connections() == 1; }));
  publish(control, table(2, {}));
  drain(control, 5, old.port(), 30);
  CHECK(next(control) ==
        Json::object({{"type", "drained"}, {"id", 5}, {"complete", false}, {"cut", 1}, {"finished", 0}}));
  CHECK(read_answer(running).status() == 503);
}

TEST_CASE("counters are by release, and go as a file when they are many") {
  World world;
  world.listen("http");
  Fd control = world.connect_control();
  next(control);
  Instance web(answers("hello"));
  publish(control, table(1, {web.port()}));
  for (int i = 0; i < 3; ++i) CHECK(ask(world.port).status() == 200);
  // An answer may be read an instant before it is counted.
  Json counters;
  CHECK(Bench::eventually([&] {
    net::send(control, Json::object({{"type", "counters"}, {"id", 9}}), {}, soon());
    counters = next(control);
    return counters.at("releases").at(Bench::target(web.port()).release).at("served").integer() == 3;
  }));
  CHECK(counters.at("id").integer() == 9);

  RouteTable many = table(2, {});
  for (int i = 0; i < 1000; ++i) {
    Target target = Bench::target(1);
    target.release = "app/a-release-with-a-long-name-" + std::to_string(i);
    many.pools[0].targets.push_back(target);
  }
  publish(control, many);
  net::send(control, Json::object({{"type", "counters"}, {"id", 10}}), {}, soon());
  auto message = net::receive(control, soon());
  REQUIRE(message);
  REQUIRE(message->fds.size() == 1);
  CHECK(Json::parse(read_memfd(message->fds[0])).at("releases").members().size() > 1000);
}

TEST_CASE("a listener that serve takes back is closed") {
  World world;
  world.listen("http");
  Fd control = world.connect_control();
  next(control);
  Instance web(answers("hello"));
  publish(control, table(1, {web.port()}));
  CHECK(ask(world.port).status() == 200);
  net::send(world.serve, Json::object({{"type", "unlisten"}, {"name", "http"}}), {}, soon());
  CHECK(Bench::eventually([&] {
    try {
      net::connect({"127.0.0.1", world.port, ""}, soon());
      return false;
    } catch (const Error& error) {
      return error.kind() == Error::missing;
    }
  }));
}

TEST_CASE("a router that is told to stop finishes its requests and closes its listeners") {
  Busy world;
  world.serve.reset();
  CHECK(world.silent->at_end());
  world.go.set_value();
  Answer answer = read_answer(*world.running);
  CHECK(answer.body == "last");
  CHECK(answer.head.find("Connection: close") != std::string::npos);
  world.running->close();
  world.join();
}

TEST_CASE("a router that retires leaves new connections to others and ends with its last one") {
  World world;
  world.listen("http");
  Instance web(answers("hello"));
  Fd file = memfd(table(7, {web.port()}));
  net::send(world.serve, Json::object({{"type", "table"}}), {file.get()}, soon());
  net::send(world.serve, Json::object({{"type", "begin"}, {"after", Json::array()}}), {}, soon());
  auto ready = net::receive(world.serve, soon());
  REQUIRE(ready->body.at("type").string() == "ready");
  Wire kept = Wire::to(world.port);
  kept.send(get());
  CHECK(read_answer(kept).head.find("Connection: close") == std::string::npos);

  net::send(world.serve, Json::object({{"type", "retire"}}), {}, soon());
  CHECK(Bench::eventually([&] {
    // Whoever still has the socket would accept it; here nobody has.
    try {
      net::connect({"127.0.0.1", world.port, ""}, soon());
      return false;
    } catch (const Error& error) {
      return error.kind() == Error::missing;
    }
  }));
  kept.send(get());
  Answer last = read_answer(kept);
  CHECK(last.body == "hello");
  CHECK(last.head.find("Connection: close") != std::string::npos);
  kept.close();
  auto counted = net::receive(world.serve, soon());
  CHECK(counted->body.at("type").string() == "counted");
  CHECK(counted->body.at("epoch") == ready->body.at("epoch"));
  Json counters = Json::parse(read_memfd(counted->fds.at(0)));
  CHECK(counters.at("releases").at(Bench::target(web.port()).release).at("served").integer() == 2);
  world.join();
}

TEST_CASE("a router that retires alone outlives serve until what it has accepted is answered") {
  Busy world;
  net::send(world.serve, Json::object({{"type", "retire"}, {"alone", true}}), {}, soon());
  world.serve.reset();
  // A connection that was accepted and has said nothing yet is not cut off either.
  world.silent->send(get("/elsewhere", "X: 1\r\n"));
  world.go.set_value();
  CHECK(read_answer(*world.running).body == "last");
  CHECK(read_answer(*world.silent).body == "last");
  world.running->close();
  world.silent->close();
  world.join();
}

TEST_CASE("messages that make no sense are answered, and change nothing") {
  World world;
  Fd control = world.connect_control();
  next(control);
  net::send(control, Json::object({{"type", "dance"}}), {}, soon());
  CHECK(next(control).at("type").string() == "error");
  net::send(control, Json::object({{"type", "drain"}}), {}, soon());
  CHECK(next(control).at("kind").string() == "invalid");
  Fd file = sealed_memfd("table", "{");
  net::send(control, Json::object({{"type", "table"}, {"version", 1}}), {file.get()}, soon());
  CHECK(next(control).at("type").string() == "refused");
}
