#include "net/server_scene_test.h"

namespace holdall::net {
namespace {

Route who_asks() {
  return {"GET", "/who", [](Request& request) { return plain(request.listener + " " + request.introduced); }};
}

Listener people() { return {.socket = {}, .name = "people", .introduces = true}; }

constexpr std::string_view kAsk = "GET /who HTTP/1.1\r\nHost: x\r\n\r\n";

}  // namespace

TEST_CASE("a connection is introduced once, and each of its requests is told as whom") {
  ServerThread door({who_asks()}, {}, people());
  Raw client(door.address());
  client.say("as alice\n" + std::string(kAsk) + std::string(kAsk));
  CHECK(client.hear("people alice", 2).find("people alice") != std::string::npos);
}

TEST_CASE("an introduction may come byte by byte") {
  ServerThread door({who_asks()}, {}, people());
  Raw client(door.address());
  for (char c : "as bob\n" + std::string(kAsk)) client.say({&c, 1});
  CHECK(client.hear("people bob").ends_with("people bob"));
}

TEST_CASE("who does not begin with an introduction is hung up on without an answer") {
  ServerThread door({who_asks()}, {}, people());
  for (const std::string& first : {std::string(kAsk), std::string(200, 'x'), std::string("alice\n")}) {
    Raw client(door.address());
    client.say(first);
    client.end_of_input();
    CHECK(client.hear_all().empty());
  }
}

TEST_CASE("a second introduction is no HTTP, and changes nobody") {
  ServerThread door({who_asks()}, {}, people());
  Raw client(door.address());
  client.say("as alice\nas root\n" + std::string(kAsk));
  std::string answer = client.hear_all();
  CHECK(answer.starts_with("HTTP/1.1 400"));
  CHECK(answer.find("root") == std::string::npos);
}

TEST_CASE("on a listener that asks for no introduction nobody is introduced") {
  ServerThread door({who_asks()}, {}, {.socket = {}, .name = "local"});
  CHECK(fetch(door.address(), {.target = "/who"}, soon()).body == "local ");
}

TEST_CASE("a body that is not admitted is not asked for, and the handler gets none") {
  Route route{"POST", "/echo", [](Request& request) {
                return plain("had " + std::to_string(request.body.size() + !!request.body_file));
              }};
  route.admits = [](const Request& request) { return request.header("x-right") == "yes"; };
  ServerThread door({route});
  Raw client(door.address());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  std::string answer = client.hear_all();
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.ends_with("had 0"));
  CHECK(answer.find("Connection: close") != std::string::npos);
  ClientRequest request{
      .method = "POST", .target = "/echo", .headers = {{"X-Right", "yes"}}, .body = "12345"};
  CHECK(fetch(door.address(), request, soon()).body == "had 5");
}

TEST_CASE("beyond the most connections others wait until one has gone") {
  ServerThread door({hello()}, {.connections = 1});
  auto first = std::make_unique<Raw>(door.address());
  first->say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  first->hear("hello");
  Raw second(door.address());
  second.say("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  first.reset();
  CHECK(second.hear_all().ends_with("hello"));
}

}  // namespace holdall::net
