#include "net/server_scene_test.h"

namespace holdall::net {

using namespace std::chrono_literals;

namespace {

/// Gives each connection to whoever waits for the future.
Route upgrading(std::promise<Upgraded>& given) {
  return {"POST", "/talk", [&given](Request& request) {
            CHECK(request.header("Upgrade") == "talk/1");
            Response out;
            out.status = http::kSwitchingProtocols;
            out.headers.emplace_back("Upgrade", "talk/1");
            out.upgrade = [&given](Upgraded connection) { given.set_value(std::move(connection)); };
            return out;
          }};
}

std::string receive(Stream& bytes, std::size_t size) {
  std::string out;
  char buffer[64];
  for (Deadline deadline = soon(); out.size() < size && !deadline.passed();) {
    ssize_t got = bytes.receive(buffer, std::min(sizeof buffer, size - out.size()));
    if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
    if (got == 0) break;
    pollfd what{bytes.socket().get(), POLLIN, 0};
    if (got < 0) poll(&what, 1, deadline.poll_ms());
  }
  return out;
}

}  // namespace

TEST_CASE("a connection that takes another protocol is no longer the server's, and carries both ways") {
  std::promise<Upgraded> given;
  auto server = std::make_unique<ServerThread>(std::vector{upgrading(given)});
  UpgradeAnswer answer = upgrade(
      server->address(), {.method = "POST", .target = "/talk", .body = "{}", .upgrade = "talk/1"}, soon());
  REQUIRE(answer.response.status == 101);
  CHECK(answer.response.header("Upgrade") == "talk/1");
  Upgraded connection = given.get_future().get();
  REQUIRE(answer.bytes->send("hello") == 5);
  CHECK(connection.received + receive(*connection.bytes, 5 - connection.received.size()) == "hello");
  server.reset();  // it has nothing to wait for
  REQUIRE(connection.bytes->send("and back") == 8);
  CHECK(answer.received + receive(*answer.bytes, 8 - answer.received.size()) == "and back");
  answer.bytes.reset();
  CHECK(receive(*connection.bytes, 1).empty());
}

TEST_CASE("what a client sends before it has the answer is given away with the connection") {
  std::promise<Upgraded> given;
  ServerThread server({upgrading(given)});
  Raw client(server.address());
  client.say(
      "POST /talk HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: talk/1\r\nContent-Length: "
      "2\r\n\r\n{}early");
  CHECK(client.hear("\r\n\r\n").starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  Upgraded connection = given.get_future().get();
  CHECK(connection.received + receive(*connection.bytes, 5 - connection.received.size()) == "early");
}

TEST_CASE("a refusal of another protocol is an answer like others") {
  ServerThread server(
      {{"POST", "/talk", [](Request&) -> Response { throw Error(Error::denied, "not you"); }}});
  UpgradeAnswer answer =
      upgrade(server.address(), {.method = "POST", .target = "/talk", .upgrade = "talk/1"}, soon());
  CHECK(answer.response.status == 403);
  CHECK(answer.response.body.find("not you") != std::string::npos);
  CHECK(answer.bytes == nullptr);
}

}  // namespace holdall::net
