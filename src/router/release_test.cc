// A release as the router sees it, again and again under load: publish, drain, stop the old. Nothing may be
// lost.
#include <doctest/doctest.h>

#include <random>

#include "router/testbed.h"

using namespace holdall;
using namespace holdall::router;
using namespace holdall::router::testbed;
using namespace std::chrono_literals;

namespace {

/// One client that asks until told to stop, over kept and fresh connections, and knows what each answer must
/// be.
struct Load {
  std::atomic<int> asked = 0, wrong = 0;
  std::string first_wrong;
  std::mutex mutex;

  void run(std::uint16_t port, unsigned seed, const std::atomic<bool>& stop) {
    std::minstd_rand random(seed);
    std::unique_ptr<Wire> wire;
    while (!stop) {
      if (!wire || random() % 4 == 0) wire = std::make_unique<Wire>(Wire::to(port));
      std::string body(random() % 3 == 0 ? 40'000 : 10, static_cast<char>('a' + random() % 26));
      bool posts = random() % 2 == 0;
      wire->send((posts ? "POST" : "PUT") + std::string(" / HTTP/1.1\r\nHost: app.test\r\nContent-Length: ") +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
      Answer answer = read_answer(*wire);
      ++asked;
      if (answer.body == body) continue;
      std::lock_guard lock(mutex);
      if (wrong++ == 0) first_wrong = answer.head + answer.body.substr(0, 200);
      wire.reset();
    }
  }
};

void echo_bodies(Wire& wire, int) {
  for (;;) {
    std::string head = wire.head();
    std::size_t at = head.find("Content-Length: ");
    if (at == std::string::npos || !wire.send(ok(wire.exactly(std::stoul(head.substr(at + 16)))))) return;
  }
}

}  // namespace

TEST_CASE("tables that change under load lose no request") {
  Bench bench({}, 2);
  auto old = std::make_unique<Instance>(echo_bodies);
  bench.serve({old->port()});
  Load load;
  std::atomic<bool> stop = false;
  std::vector<std::jthread> clients;
  for (unsigned i = 0; i < 4; ++i) clients.emplace_back([&, i] { load.run(bench.port(), i + 1, stop); });

  for (int release = 0; release < 15; ++release) {
    CAPTURE(release);
    int before = load.asked;
    REQUIRE(Bench::eventually([&] { return load.asked > before + 200; }));
    auto leaving = bench.fleet.find({Bench::target(old->port()).id});
    for (LiveTarget* target : leaving) target->watched = true;  // keeps them in the fleet
    if (release % 5 == 4) bench.serve({});                      // stop first: requests wait
    auto fresh = std::make_unique<Instance>(echo_bodies);
    bench.serve({fresh->port()});
    REQUIRE(Bench::eventually([&] {
      return std::all_of(leaving.begin(), leaving.end(), [](LiveTarget* target) { return target->unused(); });
    }));
    for (LiveTarget* target : leaving) target->watched = false;
    old = std::move(fresh);  // stops the old one
  }
  stop = true;
  clients.clear();
  CHECK(load.wrong == 0);
  CHECK(load.first_wrong == "");
  std::uint64_t asked = static_cast<std::uint64_t>(load.asked);
  CHECK(bench.comes(
      [&](auto& c) { return c.served == asked && c.failed.empty() && c.cut == 0 && c.left == 0; }));
}
