#include "supervise/probes.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <latch>
#include <thread>

#include "engine/fake.h"
#include "net/socket.h"

using namespace holdall;
using namespace holdall::supervise;
using namespace std::chrono_literals;

namespace {

/// An app that answers each connection with the same bytes and then closes it, or holds it open.
class App {
 public:
  explicit App(std::string answer, bool closes = true)
      : answer_(std::move(answer)),
        closes_(closes),
        thread_([this](const std::stop_token& stop) { serve(stop); }) {}
  ~App() {
    thread_.request_stop();
    poke(stopped_);
  }
  net::Address address() const {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&own), &size);
    return net::address_of(own);
  }

 private:
  void serve(const std::stop_token& stop) {
    std::vector<Fd> held;
    while (!stop.stop_requested()) {
      pollfd waiting[] = {{listener_.get(), POLLIN, 0}, {stopped_.get(), POLLIN, 0}};
      poll(waiting, 2, -1);
      Fd connection(accept(listener_.get(), nullptr, nullptr));
      if (!connection) continue;
      char request[1024];
      if (!answer_.empty() && recv(connection.get(), request, sizeof request, 0) <= 0) continue;
      send(connection.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (!closes_) held.push_back(std::move(connection));
    }
  }

  const std::string answer_;
  const bool closes_;
  Fd listener_ = net::listen({.host = "127.0.0.1", .port = 0, .path = ""});
  Fd stopped_ = make_event();
  std::jthread thread_;
};

struct World {
  engine::FakeEngine engine{system_clock()};
  Probes probes{engine, system_clock()};

  Verdict probe(const Gate& gate, const net::Address& address) {
    probes.start({"i"}, gate, address);
    for (;;) {
      auto results = probes.take();
      if (!results.empty()) return results.front().verdict;
      pollfd waiting{probes.fd(), POLLIN, 0};
      poll(&waiting, 1, Deadline(probes.due()).poll_ms());
    }
  }
};

Gate http(std::chrono::nanoseconds timeout = 10s) {
  return {.kind = Gate::Kind::http, .path = "/up", .command = {}, .timeout = timeout};
}
Gate port() { return {.kind = Gate::Kind::port, .path = "", .command = {}}; }
Gate command() { return {.kind = Gate::Kind::command, .path = "", .command = {"check"}}; }

std::string ok(const std::string& status) { return "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"; }

}  // namespace

TEST_CASE("a port that accepts passes, one that nobody listens on refuses") {
  World w;
  net::Address address;
  {
    App app("");
    address = app.address();
    Verdict verdict = w.probe(port(), address);
    CHECK(verdict.accepted);
    CHECK(verdict.passed);
  }
  Verdict verdict = w.probe(port(), address);
  CHECK_FALSE(verdict.accepted);
  CHECK_FALSE(verdict.passed);
  CHECK(verdict.failure == net::text(address) + " refuses connections");
}

TEST_CASE("a path passes by its status alone") {
  World w;
  App well(ok("204 No Content")), moved(ok("302 Found")), badly(ok("500 Oops"));
  CHECK(w.probe(http(), well.address()).passed);
  CHECK(w.probe(http(), moved.address()).passed);
  Verdict verdict = w.probe(http(), badly.address());
  CHECK(verdict.accepted);
  CHECK_FALSE(verdict.passed);
  CHECK(verdict.failure == "GET /up answered 500, expected 200-399");
}

TEST_CASE("the range of good statuses is the gate's") {
  World w;
  App app(ok("404 Not Found"));
  Gate gate = http();
  gate.status_to = 404;
  CHECK(w.probe(gate, app.address()).passed);
}

TEST_CASE("interim answers are passed over") {
  World w;
  App app("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("200 OK"));
  CHECK(w.probe(http(), app.address()).passed);
}

TEST_CASE("no answer, no HTTP and a closed connection are told apart") {
  World w;
  App silent("", false), babbling("220 smtp ready\r\n\r\n"), closing(" ");
  CHECK(w.probe(http(50ms), silent.address()).failure == "GET /up did not answer within 50 ms");
  CHECK(w.probe(http(), babbling.address()).failure.starts_with("GET /up answered no HTTP"));
  CHECK_FALSE(w.probe(http(), closing.address()).passed);
  App half("HTTP/1.1 200 OK\r\nContent-", false);
  CHECK(w.probe(http(50ms), half.address()).failure == "GET /up did not answer within 50 ms");
  App cut("HTTP/1.1 200 OK\r\nContent-");
  CHECK(w.probe(http(), cut.address()).failure == "GET /up was closed before an answer");
}

TEST_CASE("a connect that its own source port answers is none") {
  World w;
  // Every port of the ephemeral range in turn would be its own source sooner or later; bind makes it certain.
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  net::SocketAddress own = net::socket_address({.host = "127.0.0.1", .port = 0, .path = ""});
  REQUIRE(bind(socket.get(), own.get(), own.size) == 0);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  CHECK_FALSE(w.probe(port(), net::address_of(bound)).passed);
}

TEST_CASE("a command passes when it exits 0, and else says what it said") {
  World w;
  CHECK(w.probe(command(), {}).passed);
  w.engine.on_exec = [](const InstanceId& id, const std::vector<std::string>& argv) {
    CHECK(id.value == "i");
    CHECK(argv == std::vector<std::string>{"check"});
    return Output{.exit = {.code = 1}, .out = "fine", .err = "first\ncannot connect\n"};
  };
  Verdict verdict = w.probe(command(), {});
  CHECK_FALSE(verdict.passed);
  CHECK(verdict.failure == "healthcheck exited with code 1: cannot connect");
  w.engine.on_exec = [](const InstanceId&, const std::vector<std::string>&) -> Output {
    return {.exit = {.code = 0, .signal = 9}, .out = "", .err = "", .timed_out = true};
  };
  CHECK(w.probe(command(), {}).failure == "healthcheck did not end within 5.0 s");
  w.engine.on_exec = [](const InstanceId&, const std::vector<std::string>&) -> Output {
    throw Error(Error::missing, "no such instance");
  };
  CHECK(w.probe(command(), {}).failure == "healthcheck could not be run: no such instance");
}

TEST_CASE("many commands at once run at most four at a time, and all are answered") {
  World w;
  std::atomic<int> running{0}, most{0};
  std::latch four(4);
  w.engine.on_exec = [&](const InstanceId&, const std::vector<std::string>&) {
    int now = ++running;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    if (four.try_wait()) {
      --running;
      return Output{};
    }
    four.arrive_and_wait();  // the first four are held until all are there
    --running;
    return Output{};
  };
  for (int i = 0; i < 20; ++i) w.probes.start({std::to_string(i)}, command(), {});
  std::size_t answered = 0;
  while (answered < 20) {
    pollfd waiting{w.probes.fd(), POLLIN, 0};
    REQUIRE(poll(&waiting, 1, 30'000) == 1);
    answered += w.probes.take().size();
  }
  CHECK(most == 4);
}

TEST_CASE("a cancelled probe has no result") {
  World w;
  App app(ok("200 OK"));
  std::latch asked(1), answer(1);
  w.engine.on_exec = [&](const InstanceId&, const std::vector<std::string>&) {
    asked.count_down();
    answer.wait();
    return Output{};
  };
  w.probes.start({"command"}, command(), {});
  asked.wait();
  w.probes.start({"socket"}, http(), app.address());
  w.probes.cancel({"command"});
  w.probes.cancel({"socket"});
  answer.count_down();
  pollfd waiting{w.probes.fd(), POLLIN, 0};
  REQUIRE(poll(&waiting, 1, 30'000) == 1);  // the command's answer is there
  CHECK(w.probes.take().empty());
  CHECK(w.probes.due() == Instant::max());
}
