#include "router/router.h"

#include <doctest/doctest.h>

#include "router/process.h"
#include "router/testbed.h"

using namespace holdall;
using namespace holdall::router;
using namespace holdall::router::testbed;
using namespace std::chrono_literals;

namespace {

Deadline soon() { return Deadline::after(10s); }

RouteTable sample() {
  RouteTable table;
  table.version = 3;
  table.listeners = {{"http", {"", 8080, ""}, Listener::http, ""},
                     {"app/db:5432", {"127.0.0.1", 5432, ""}, Listener::tcp, "app/db"}};
  table.routes = {{"app.test", "/", false, "app/web"}, {"app.test", "/api", true, "app/api"}};
  table.pools = {{"app/web", {Bench::target(1)}, 10ms, 20ms, 30}, {"app/api", {}, 1ms, 2ms, 3}};
  return table;
}

/// What serve does for control, with router processes in threads of this one.
class FakeParent final : public Parent {
 public:
  ~FakeParent() override { kill_router(); }

  void bind(const Listener& listener) override {
    if (in_use == listener.name) throw Error(Error::conflict, "address in use");
    auto kept = kept_.lock();
    if (kept->sockets.contains(listener.name)) return;
    kept->sockets[listener.name] = net::listen({"127.0.0.1", 0, ""});
    if (router_) send_listener(listener.name, kept->sockets[listener.name]);
  }
  void keep_only(const std::vector<std::string>& names) override {
    auto kept = kept_.lock();
    std::erase_if(kept->sockets,
                  [&](auto& one) { return std::find(names.begin(), names.end(), one.first) == names.end(); });
  }
  void keep_table(const Fd& memfd) override { kept_.lock()->table = memfd.duplicate(); }
  RouterNews router_news() override {
    auto kept = kept_.lock();
    clear(news_);
    return std::exchange(kept->news, {});
  }
  int news_descriptor() const override { return news_.get(); }

  void start_router() {
    auto [here, there] = net::handover_pair();
    auto [to_router, to_control] = net::handover_pair();
    router_ = std::move(here);
    stop_ = std::make_shared<Fd>(make_event());
    thread_ = std::jthread([stop = stop_, there = std::make_shared<Fd>(std::move(there))] {
      Process process(std::move(*there), 1);
      process.run(*stop);
    });
    auto kept = kept_.lock();
    for (auto& [name, socket] : kept->sockets) send_listener(name, socket);
    if (kept->table) net::send(router_, Json::object({{"type", "table"}}), {kept->table.get()}, soon());
    net::send(router_, Json::object({{"type", "begin"}, {"after", after_}}), {}, soon());
    net::send(router_, Json::object({{"type", "control"}}), {to_control.get()}, soon());
    epoch_ = net::receive(router_, soon())->body.at("epoch").string();
    kept->news.links.push_back(std::move(to_router));
    poke(news_);
  }
  void kill_router() {
    if (!thread_.joinable()) return;
    poke(*stop_);
    thread_.join();
    router_.reset();
    after_ = Json::array();
  }
  /// A second router beside the first, which retires; `tell_counted` waits for its end.
  void replace_router() {
    after_.add(epoch_);
    std::swap(retiring_, thread_);
    Fd retired = std::move(router_);
    start_router();
    net::send(retired, Json::object({{"type", "retire"}}), {}, soon());
    retired_ = std::move(retired);
  }
  void tell_counted() {
    auto counted = net::receive(retired_, soon());
    REQUIRE(counted->body.at("type").string() == "counted");
    retiring_.join();
    auto kept = kept_.lock();
    kept->news.counted[counted->body.at("epoch").string()] = std::move(counted->fds.at(0));
    poke(news_);
  }
  std::vector<std::string> bound() {
    std::vector<std::string> names;
    for (auto& [name, socket] : kept_.lock()->sockets) names.push_back(name);
    return names;
  }
  std::uint16_t port(const std::string& name) { return port_of(kept_.lock()->sockets.at(name)); }

  std::string in_use;

 private:
  struct Kept {
    std::map<std::string, Fd> sockets;
    Fd table;
    RouterNews news;
  };
  void send_listener(const std::string& name, const Fd& socket) {
    net::send(router_, Json::object({{"type", "listen"}, {"name", name}}), {socket.get()}, soon());
  }
  Guarded<Kept> kept_;
  const Fd news_ = make_event();
  Fd router_, retired_;
  std::shared_ptr<Fd> stop_;
  std::string epoch_;
  Json after_ = Json::array();
  std::jthread thread_, retiring_;
};

RouteTable one_pool(std::uint64_t version, const std::vector<std::uint16_t>& ports) {
  RouteTable table;
  table.version = version;
  table.listeners = {{"http", {"127.0.0.1", 80, ""}, Listener::http, ""}};
  table.routes = {{"app.test", "/", false, "app/web"}};
  table.pools = {{.name = "app/web", .targets = {}}};
  for (std::uint16_t port : ports) table.pools[0].targets.push_back(Bench::target(port));
  return table;
}

}  // namespace

TEST_CASE("a table is the same after a trip through JSON") {
  CHECK(parse_table(Json::parse(to_json(sample()).print())) == sample());
  CHECK_THROWS_AS(parse_table(Json::object({{"version", 1}})), Error);
}

TEST_CASE("two claims to one host and path, or to one address, are a conflict that names both") {
  check(sample());
  RouteTable table = sample();
  table.routes.push_back({"app.test", "/api", false, "other/web"});
  CHECK_THROWS_WITH_AS(
      check(table),
      "app.test/api is claimed by both 'app/api' and 'other/web'; give one of them another route", Error);
  table = sample();
  table.listeners.push_back({"other", {"127.0.0.1", 5432, ""}, Listener::tcp, "app/web"});
  CHECK_THROWS_WITH_AS(
      check(table),
      "127.0.0.1:5432 is published by both 'app/db:5432' and 'other'; publish one of them elsewhere", Error);
}

TEST_CASE("publish returns when the table is served") {
  FakeParent parent;
  parent.start_router();
  auto router = make_router(parent);
  Instance one(answers("one")), two(answers("two"));
  router->publish(one_pool(1, {one.port()}), soon());
  CHECK(ask(parent.port("http")).body == "one");
  router->publish(one_pool(2, {two.port()}), soon());
  CHECK(ask(parent.port("http")).body == "two");
  CHECK(Bench::eventually([&] {
    auto counters = router->counters(soon());
    return counters && counters->releases.at(Bench::target(one.port()).release).served == 1;
  }));
  CHECK(router->drain({Bench::target(one.port()).id}, soon()).complete);
}

TEST_CASE("an address that is taken costs its own listener and no other, and can be bound later") {
  FakeParent parent;
  parent.start_router();
  auto router = make_router(parent);
  router->publish(one_pool(1, {}), soon());
  RouteTable table = one_pool(2, {});
  table.listeners.push_back({"a", {"127.0.0.1", 81, ""}, Listener::tcp, "app/web"});
  table.listeners.push_back({"b", {"127.0.0.1", 82, ""}, Listener::tcp, "app/web"});
  parent.in_use = "b";
  const std::vector<Unbound> unbound = {{table.listeners[2], "address in use"}};
  CHECK(router->publish(table, soon()) == unbound);
  CHECK(parent.bound() == std::vector<std::string>{"a", "http"});
  CHECK(router->bind({table.listeners[2]}) == unbound);
  parent.in_use = "";
  CHECK(router->bind({table.listeners[2]}).empty());
  CHECK(parent.bound() == std::vector<std::string>{"a", "b", "http"});
  router->publish(one_pool(3, {}), soon());
  CHECK(parent.bound() == std::vector<std::string>{"http"});
}

TEST_CASE("without a router publish waits for one until the deadline, and what it published is kept") {
  FakeParent parent;
  auto router = make_router(parent);
  Instance web(answers("hello"));
  CHECK_THROWS_AS(router->publish(one_pool(1, {web.port()}), Deadline::after(20ms)), Error);
  CHECK_FALSE(router->counters(Deadline::after(20ms)));
  std::jthread late([&] { parent.start_router(); });
  router->publish(one_pool(2, {web.port()}), soon());
  CHECK(ask(parent.port("http")).body == "hello");
}

TEST_CASE(
    "a router that ends is replaced: the table is served again, its drains are over, its counters are new") {
  FakeParent parent;
  parent.start_router();
  auto router = make_router(parent);
  Instance web([](Wire& wire, int) {
    while (!wire.head().empty()) {
    }
  });
  router->publish(one_pool(1, {web.port()}), soon());
  std::string epoch = router->counters(soon())->epoch;
  Wire running = Wire::to(parent.port("http"));
  running.send(get());
  REQUIRE(Bench::eventually([&] { return web.connections() == 1; }));
  router->publish(one_pool(2, {}), soon());
  std::jthread crash([&] {
    running.close();
    parent.kill_router();
    parent.start_router();
  });
  CHECK(router->drain({Bench::target(web.port()).id}, soon()).complete);
  crash.join();
  CHECK(router->counters(soon())->epoch != epoch);
  Instance fresh(answers("fresh"));
  router->publish(one_pool(3, {fresh.port()}), soon());
  CHECK(ask(parent.port("http")).body == "fresh");
}

TEST_CASE(
    "while one router replaces another, tables and drains are both routers' business, and no count is lost") {
  FakeParent parent;
  parent.start_router();
  auto router = make_router(parent);
  std::promise<void> go;
  Instance slow([gone = go.get_future().share()](Wire& wire, int) {
    wire.head();
    gone.wait();
    wire.send(ok("slow"));
    wire.rest();
  });
  Instance quick(answers("quick"));
  router->publish(one_pool(1, {slow.port()}), soon());
  const std::string first = router->counters(soon())->epoch;
  Wire running = Wire::to(parent.port("http"));
  running.send(get());
  REQUIRE(Bench::eventually([&] { return slow.connections() == 1; }));

  parent.replace_router();
  router->publish(one_pool(2, {quick.port()}), soon());
  CHECK(ask(parent.port("http")).body == "quick");
  auto both = router->counters(soon());
  REQUIRE(both->earlier.size() == 1);
  CHECK(both->earlier[0].epoch == first);
  CHECK_FALSE(both->earlier[0].ended);

  auto drained =
      std::async(std::launch::async, [&] { return router->drain({Bench::target(slow.port()).id}, soon()); });
  CHECK(drained.wait_for(50ms) == std::future_status::timeout);
  go.set_value();
  CHECK(read_answer(running).body == "slow");
  running.close();
  CHECK(drained.get().complete);

  parent.tell_counted();
  std::optional<Counters> after;
  CHECK(Bench::eventually([&] {
    after = router->counters(soon());
    return after && after->releases.contains(Bench::target(quick.port()).release) &&
           after->releases.at(Bench::target(quick.port()).release).served == 1;
  }));
  REQUIRE(after->earlier.size() == 1);
  CHECK(after->earlier[0].ended);
  CHECK(after->earlier[0].releases.at(Bench::target(slow.port()).release).served == 1);
}
