#include "net/http.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace holdall::net::http;

namespace {

struct Read {
  Parsed parsed;
  Head head;
};

Read request(std::string_view bytes) {
  Read read;
  read.parsed = parse_request(bytes, read.head);
  return read;
}

Read response(std::string_view bytes, std::string_view method = "GET") {
  Read read;
  read.parsed = parse_response(bytes, method, read.head);
  return read;
}

Read with(std::string_view headers) {
  static std::string text;  // the head points into it
  text = "POST /a HTTP/1.1\r\nHost: shop.example\r\n" + std::string(headers) + "\r\n";
  return request(text);
}

struct Chunks {
  std::string data;
  std::size_t consumed = 0;
  bool bad = false, done = false;
  bool operator==(const Chunks&) const = default;
};

Chunks read_chunks(std::string_view bytes, std::size_t piece) {
  Chunks all;
  ChunkedReader reader;
  for (std::size_t at = 0; at < bytes.size() && !all.bad && !reader.done();) {
    std::string_view part = bytes.substr(at, piece);
    ChunkedReader::Step step = reader.next(part);
    all.data += step.data;
    all.consumed += step.consumed;
    all.bad = step.bad;
    at += step.consumed;
  }
  all.done = reader.done();
  return all;
}

}  // namespace

TEST_CASE("a request's parts are found where they stand") {
  std::string text = "GET /a/b?x=1&y HTTP/1.1\r\nHost: Shop.Example:8080\r\nUser-Agent:  curl/8 \r\n\r\nrest";
  Read read = request(text);
  REQUIRE(read.parsed.result == Result::complete);
  CHECK(read.head.method == "GET");
  CHECK(read.head.target == "/a/b?x=1&y");
  CHECK(read.head.path == "/a/b");
  CHECK(read.head.query == "x=1&y");
  CHECK(read.head.host == "Shop.Example");
  CHECK(read.head.find("user-agent") == "curl/8");
  CHECK(read.head.known[1] == Known::user_agent);
  CHECK(read.head.find("absent").data() == nullptr);
  CHECK(read.head.size == text.size() - 4);
  CHECK(read.head.body == Body::none);
  CHECK(read.head.keep_alive);
}

TEST_CASE("a head cut anywhere is incomplete, however much of it was scanned before") {
  std::string text = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
  Head head;
  for (std::size_t size = 0; size < text.size(); ++size) {
    std::string_view part = std::string_view(text).substr(0, size);
    CHECK(parse_request(part, head).result == Result::incomplete);
    for (std::size_t scanned = 0; scanned <= size; ++scanned) {
      CHECK(parse_request(part, head, kMaxHead, scanned).result == Result::incomplete);
      CHECK(parse_request(text, head, kMaxHead, scanned).result == Result::complete);
    }
  }
}

TEST_CASE("a head over the limit is too large, and one of exactly the limit is not") {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  Head head;
  CHECK(parse_request(text, head, text.size()).result == Result::complete);
  CHECK(parse_request(text, head, text.size() - 1).result == Result::too_large);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 0; i < kMaxHeaders; ++i) many += "A: b\r\n";
  CHECK(parse_request(many + "\r\n", head).result == Result::too_large);
}

TEST_CASE("requests that two parsers could read differently are refused") {
  for (const char* headers : {
           "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
           "Content-Length: 3\r\nContent-Length: 4\r\n",
           "Content-Length: 3\r\nContent-Length: 3\r\n",
           "Content-Length: 3, 3\r\n",
           "Content-Length: +3\r\n",
           "Content-Length: 0x3\r\n",
           "Content-Length:\r\n",
           "Content-Length: 99999999999999999999\r\n",
           "Transfer-Encoding: gzip, chunked\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: xchunked\r\n",
           "Transfer-Encoding: chunked, identity\r\n",
           "Transfer-Encoding : chunked\r\n",
           "Transfer-Encoding: \vchunked\r\n",
           "Host: other.example\r\n",
           "A : b\r\n",
           " folded: b\r\n",
           "A: b\r\n\tfolded\r\n",
           ": b\r\n",
           "A\r\n",
           "A: b\n",
           "A: b\rC: d\r\n",
           "A: b\x01\r\n",
           "A(: b\r\n",
           "A: b\x7f\r\n",
       }) {
    CAPTURE(headers);
    CHECK(with(headers).parsed.result == Result::bad);
  }
  CHECK(with(std::string_view("A: b\0\r\n", 7)).parsed.result == Result::bad);
}

TEST_CASE("request lines and targets that are none are refused") {
  for (const char* line : {
           "GET  / HTTP/1.1",
           "GET /a b HTTP/1.1",
           "GET / HTTP/1.1 ",
           " GET / HTTP/1.1",
           "GET /",
           "GET",
           "G(T / HTTP/1.1",
           "GET / HTTP/2.0",
           "GET / HTTP/1.2",
           "GET / http/1.1",
           "GET / HTTP/1.10",
           "GET /\t HTTP/1.1",
           "GET /#a HTTP/1.1",
           "GET /\xc3\xbc HTTP/1.1",
           "GET * HTTP/1.1",
           "GET a HTTP/1.1",
           "GET ftp://a/ HTTP/1.1",
           "GET http:/// HTTP/1.1",
           "GET http://u@a/ HTTP/1.1",
           "GET http://other/ HTTP/1.1",
           "CONNECT /a HTTP/1.1",
           "PRI * HTTP/2.0",
       }) {
    CAPTURE(line);
    CHECK(request(std::string(line) + "\r\nHost: a\r\n\r\n").parsed.result == Result::bad);
  }
  CHECK(request("\x16\x03\x01").parsed.result == Result::bad);
  CHECK(request("\r\n\r\n").parsed.result == Result::bad);
}

TEST_CASE("exactly one Host is wanted of HTTP/1.1, at most one of HTTP/1.0") {
  CHECK(request("GET / HTTP/1.1\r\n\r\n").parsed.result == Result::bad);
  CHECK(request("GET / HTTP/1.0\r\n\r\n").parsed.result == Result::complete);
  CHECK(request("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").parsed.result == Result::bad);
  for (const char* host : {"a b", "a/b", "a:b", "a:123456", "[::1", "[::1]x", "a@b", "a,b:c"}) {
    CAPTURE(host);
    CHECK(request("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n").parsed.result == Result::bad);
  }
  std::string six = "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n";
  CHECK(request(six).head.host == "[::1]");
}

TEST_CASE("an absolute target gives host and path") {
  std::string text = "GET http://shop.example:80/a?b HTTP/1.1\r\nHost: Shop.example:80\r\n\r\n";
  Read read = request(text);
  REQUIRE(read.parsed.result == Result::complete);
  CHECK(read.head.host == "shop.example");
  CHECK(read.head.path == "/a");
  CHECK(read.head.query == "b");
  std::string bare = "GET http://shop.example?b HTTP/1.1\r\nHost: shop.example\r\n\r\n";
  CHECK(request(bare).head.path == "/");
  CHECK(request(bare).head.query == "b");
  CHECK(request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").head.path == "*");
}

TEST_CASE("one empty line before a request is skipped") {
  Read read = request("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(read.parsed.result == Result::complete);
  CHECK(read.head.size == 29);
  CHECK(request("\r").parsed.result == Result::incomplete);
}

TEST_CASE("version and Connection decide whether the connection is kept") {
  auto kept = [](std::string_view version, std::string_view connection) {
    std::string text = "GET / " + std::string(version) + "\r\nHost: a\r\n";
    if (!connection.empty()) text += "Connection: " + std::string(connection) + "\r\n";
    return request(text + "\r\n").head.keep_alive;
  };
  CHECK(kept("HTTP/1.1", ""));
  CHECK_FALSE(kept("HTTP/1.1", "X-A , Close"));
  CHECK_FALSE(kept("HTTP/1.0", ""));
  CHECK(kept("HTTP/1.0", "Keep-Alive"));
  CHECK_FALSE(kept("HTTP/1.0", "keep-alive, close"));
}

TEST_CASE("upgrade needs both headers, and HTTP/1.1") {
  CHECK(with("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n").head.upgrade);
  CHECK_FALSE(with("Upgrade: websocket\r\n").head.upgrade);
  CHECK_FALSE(with("Connection: upgrade\r\n").head.upgrade);
  CHECK_FALSE(request("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n").head.upgrade);
}

TEST_CASE("a stranger's X- headers are known by any case, and by underscores") {
  CHECK(with("x-FORWARDED-for: a\r\n").head.known[1] == Known::x_forwarded_for);
  CHECK(with("X_Forwarded_Proto: a\r\n").head.known[1] == Known::x_forwarded_proto);
  CHECK(with("X_Request-ID: a\r\n").head.known[1] == Known::x_request_id);
  CHECK(with("Content_Length: 3\r\n").head.known[1] == Known::other);
}

TEST_CASE("a response's body is delimited by method, status and headers") {
  CHECK(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").head.body == Body::length);
  CHECK(response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").head.body == Body::none);
  CHECK(response("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n").head.body == Body::chunked);
  Read close = response("HTTP/1.1 200 OK\r\n\r\n");
  CHECK(close.head.body == Body::until_close);
  CHECK_FALSE(close.head.keep_alive);
  CHECK(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD").head.body == Body::none);
  CHECK(response("HTTP/1.1 204 No Content\r\n\r\n").head.body == Body::none);
  CHECK(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").head.body == Body::none);
  Read early = response("HTTP/1.1 103 Early Hints\r\n\r\n");
  CHECK(early.head.body == Body::none);
  CHECK(early.head.keep_alive);
}

TEST_CASE("a status line needs version and status, not a reason") {
  CHECK(response("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").head.status == 200);
  CHECK(response("HTTP/1.0 404 Not Found\r\n\r\n").head.reason == "Not Found");
  for (const char* line : {"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200 OK", "HTTP/2 200 OK",
                           "200 OK", "HTTP/1.1 099 No", "HTTP/1.1 200 O\x01K", "HTTP/1.1"}) {
    CAPTURE(line);
    CHECK(response(std::string(line) + "\r\n\r\n").parsed.result == Result::bad);
  }
  CHECK(
      response("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n").parsed.result ==
      Result::bad);
}

TEST_CASE("a chunked body is the same in whatever pieces it comes") {
  std::string text = "5\r\nhello\r\n6;name=\"a b\"\r\n world\r\n0\r\nX-Sum: 1\r\nX-More:\r\n\r\nnext";
  Chunks whole = read_chunks(text, text.size());
  CHECK(whole.data == "hello world");
  CHECK(whole.done);
  CHECK(whole.consumed == text.size() - 4);
  for (std::size_t piece = 1; piece < text.size(); ++piece) CHECK(read_chunks(text, piece) == whole);
}

TEST_CASE("chunked framing that is not exact is refused") {
  for (std::string text :
       {"\r\n", ";a\r\n", "g\r\n", "-1\r\n", "5 \r\nhello\r\n", "5\nhello\r\n", "5\r\nhello5\r\n",
        "5\r\nhello\n", "5\r\rhello", "1000000000000000\r\n", "0\r\nA b: c\r\n", "0\r\n: c\r\n",
        "0\r\n folded\r\n", "0\r\nA: \x01\r\n", "0\r\n\rx", "5;\x01\r\n"}) {
    CAPTURE(text);
    Chunks got = read_chunks(text, 100);
    CHECK(got.bad);
    CHECK_FALSE(got.done);
    CHECK(read_chunks(text, 1) == got);
  }
  CHECK(read_chunks("1;" + std::string(5000, 'a'), 100).bad);
  CHECK(read_chunks("0\r\nA: " + std::string(20000, 'a'), 100).bad);
}

TEST_CASE("idempotent methods are those of RFC 9110") {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
    CHECK(is_idempotent(method));
  for (const char* method : {"POST", "PATCH", "CONNECT", "get", ""}) CHECK_FALSE(is_idempotent(method));
}
