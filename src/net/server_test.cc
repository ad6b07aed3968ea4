#include "net/server.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "net/server_scene_test.h"

namespace holdall::net {

using namespace std::chrono_literals;

TEST_CASE("a request reaches its handler with decoded parameters and query") {
  ServerThread server({{"GET", "/v1/apps/*/logs", [](Request& request) {
                          return plain(request.parameters[0] + " " + *request.parameter("a b") + " " +
                                       std::string(request.header("x-thing")));
                        }}});
  ClientRequest request{.target = "/v1/apps/a%2Fb/logs?x&a+b=%C3%A9", .headers = {{"X-Thing", "yes"}}};
  CHECK(fetch(server.address(), request, soon()).body == "a/b \xC3\xA9 yes");
}

TEST_CASE("pipelined requests are answered in order on one connection") {
  ServerThread server({hello(), echo()});
  Raw client(server.address());
  client.say(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
      "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "3\r\nthi\r\n2\r\nrd\r\n0\r\n\r\n");
  std::string answers = client.hear_all();
  auto first = answers.find("first"), second = answers.find("hello"), third = answers.find("third");
  CHECK(first < second);
  CHECK(second < third);
  CHECK(third != std::string::npos);
}

TEST_CASE("a request that comes byte by byte is understood") {
  ServerThread server({echo()});
  Raw client(server.address());
  for (char c : std::string_view("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"))
    client.say({&c, 1});
  CHECK(client.hear("hi").ends_with("\r\n\r\nhi"));
}

TEST_CASE("HEAD gets GET's head without its body") {
  ServerThread server({hello()});
  Raw client(server.address());
  client.say("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string answer = client.hear_all();
  CHECK(answer.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("a path that is not there is 404, another method 405 with Allow") {
  ServerThread server({hello()});
  auto nothing = fetch(server.address(), {.target = "/nothing"}, soon());
  CHECK(nothing.status == 404);
  CHECK(Json::parse(nothing.body).at("error").at("kind").string() == "missing");
  auto wrong = fetch(server.address(), {.method = "DELETE", .target = "/hello"}, soon());
  CHECK(wrong.status == 405);
  CHECK(wrong.header("allow") == "GET, HEAD");
}

TEST_CASE("an Error out of a handler is its answer, anything else a 500 that says nothing more") {
  ServerThread server({{"GET", "/error", [](Request&) -> Response { throw Error(Error::conflict, "taken"); }},
                       {"GET", "/bug", [](Request&) -> Response { throw std::out_of_range("secret"); }}});
  auto error = fetch(server.address(), {.target = "/error"}, soon());
  CHECK(error.status == 409);
  CHECK(error.body == R"({"error":{"kind":"conflict","message":"taken"}})");
  auto bug = fetch(server.address(), {.target = "/bug"}, soon());
  CHECK(bug.status == 500);
  CHECK(bug.body.find("secret") == std::string::npos);
}

TEST_CASE("each answer bears the request's id, or a new one") {
  ServerThread server({hello()});
  auto given = fetch(server.address(), {.target = "/hello", .headers = {{"X-Request-ID", "abc"}}}, soon());
  CHECK(given.header("x-request-id") == "abc");
  auto made = fetch(server.address(), {.target = "/missing"}, soon());
  CHECK(made.header("x-request-id").size() >= 16);
}

TEST_CASE("a malformed request is answered with 400 and the connection ends") {
  ServerThread server({hello()});
  for (const char* bytes :
       {"GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", "GET /hello HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    CAPTURE(bytes);
    Raw client(server.address());
    client.say(bytes);
    client.end_of_input();
    CHECK(client.hear_all().starts_with("HTTP/1.1 400 "));
  }
}

TEST_CASE("a broken chunk is answered with 400") {
  ServerThread server({echo()});
  Raw client(server.address());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  client.end_of_input();
  CHECK(client.hear_all().starts_with("HTTP/1.1 400 "));
}

TEST_CASE("a body of more than 1 MiB arrives in a file") {
  ServerThread server({{"PUT", "/file", [](Request& request) {
                          REQUIRE(request.body_file);
                          off_t size = lseek(request.body_file.get(), 0, SEEK_END);
                          char last[3];
                          REQUIRE(pread(request.body_file.get(), last, 3, size - 3) == 3);
                          return plain(std::to_string(size) + std::string(last, 3));
                        }}});
  std::string body = std::string(3 << 20, 'x') + "end";
  std::string expected = std::to_string(body.size()) + "end";
  CHECK(fetch(server.address(), {.method = "PUT", .target = "/file", .body = body}, soon()).body == expected);

  Fd file(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  REQUIRE(write(file.get(), body.data(), body.size()) == static_cast<ssize_t>(body.size()));
  ClientRequest by_file{.method = "PUT", .target = "/file", .body_file = file.get()};
  CHECK(fetch(server.address(), by_file, soon()).body == expected);

  Raw client(server.address());
  client.say(
      "PUT /file HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n300003\r\n");
  client.say(body);
  client.say("\r\n0\r\n\r\n");
  CHECK(client.hear_all().ends_with("\r\n\r\n" + expected));
}

TEST_CASE("a body over the limit is refused with 413 though the client goes on sending") {
  ServerOptions options;
  options.largest_body = 1000;
  ServerThread server({echo()}, options);
  ClientRequest request{.method = "POST", .target = "/echo", .body = std::string(4 << 20, 'x')};
  CHECK(fetch(server.address(), request, soon()).status == 413);
  Raw client(server.address());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
             std::string(1001, 'x'));
  client.end_of_input();
  CHECK(client.hear_all().starts_with("HTTP/1.1 413 "));
}

TEST_CASE("Expect: 100-continue is answered before the body, and not when the request is refused") {
  ServerThread server({echo()});
  Raw client(server.address());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.hear("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.say("ok");
  CHECK(client.hear("ok").starts_with("HTTP/1.1 200 "));

  Raw refused(server.address());
  refused.say("POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(refused.hear("\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

TEST_CASE("a header of an answer with a line break in it makes it a 500") {
  ServerThread server({{"GET", "/split", [](Request&) {
                          Response out = plain("x");
                          out.headers.emplace_back("X-Note", "a\r\nSet-Cookie: b");
                          return out;
                        }}});
  ClientResponse answer = fetch(server.address(), {.target = "/split"}, soon());
  CHECK(answer.status == 500);
  CHECK(answer.header("Set-Cookie").empty());
}

TEST_CASE("a last ** takes what is left of a path, and no segment that hides a slash") {
  ServerThread server(
      {{"GET", "/files/**", [](Request& request) { return plain("[" + request.parameters[0] + "]"); }}});
  auto body = [&](const char* target) { return fetch(server.address(), {.target = target}, soon()).body; };
  CHECK(body("/files/a/b%20c.css") == "[a/b c.css]");
  CHECK(body("/files/") == "[]");
  CHECK(body("/files/a/") == "[a/]");
  for (const char* wrong : {"/files", "/files/a%2fb", "/files//a", "/files/a//b"}) {
    CHECK(fetch(server.address(), {.target = wrong}, soon()).status == 404);
  }
}

}  // namespace holdall::net
