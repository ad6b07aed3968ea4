#include "api/visits.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>

using namespace holdall;
using namespace holdall::api;

namespace {

/// A stream that never ends by itself.
class Endless final : public net::StreamSource {
 public:
  void start(std::function<void()>) override {}
  std::optional<std::string> next() override { return "more"; }
};

net::Response streaming() {
  net::Response response;
  response.stream = std::make_unique<Endless>();
  return response;
}

}  // namespace

TEST_CASE("a stream goes on while its caller has the right to it, and ends when it is taken away") {
  Visits visits;
  bool allowed = true;
  int woken = 0;
  net::Response response = streaming();
  visits.watch(response, [&] { return allowed; });
  response.stream->start([&] { ++woken; });
  visits.look();
  CHECK(response.stream->next() == "more");
  CHECK(woken == 0);
  allowed = false;
  CHECK(response.stream->next() == "more");
  visits.look();
  CHECK(woken == 1);
  CHECK(response.stream->next() == std::nullopt);
}

TEST_CASE("a right that goes between a call and its stream ends the stream as soon as it starts") {
  Visits visits;
  bool woken = false;
  net::Response response = streaming();
  visits.watch(response, [] { return false; });
  response.stream->start([&] { woken = true; });
  CHECK(woken);
  CHECK(response.stream->next() == std::nullopt);
}

TEST_CASE("a connection that was upgraded is cut, and one that has gone is let alone") {
  Visits visits;
  bool allowed = true;
  std::optional<net::Upgraded> program;
  net::Response response;
  response.upgrade = [&](net::Upgraded connection) { program = std::move(connection); };
  visits.watch(response, [&] { return allowed; });
  std::array<int, 2> pair{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) == 0);
  Fd client(pair[1]);
  response.upgrade({std::make_unique<net::PlainStream>(Fd(pair[0])), ""});
  response.upgrade = nullptr;
  visits.look();
  char byte = 0;
  CHECK(program->bytes->send("x") == 1);
  CHECK(recv(client.get(), &byte, 1, 0) == 1);
  allowed = false;
  visits.look();
  CHECK(recv(client.get(), &byte, 1, 0) == 0);
  CHECK(program->bytes->receive(&byte, 1) == 0);
  program.reset();
  visits.look();
}
