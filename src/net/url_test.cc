#include "net/url.h"

#include <doctest/doctest.h>

#include <string>

#include "base/error.h"
#include "base/fake.h"

namespace holdall::net {

TEST_CASE("a url is taken apart, and its text is the same one") {
  CHECK(parse_url("https://api.example.com/1/classes?a=b") ==
        Url{.tls = true, .host = "api.example.com", .port = 443, .target = "/1/classes?a=b"});
  CHECK(parse_url("HTTP://LocalHost:8080") ==
        Url{.tls = false, .host = "localhost", .port = 8080, .target = "/"});
  CHECK(parse_url("http://[::1]:80/#part") == Url{.tls = false, .host = "::1", .port = 80, .target = "/"});
  CHECK(parse_url("http://x?q") == Url{.tls = false, .host = "x", .port = 80, .target = "/?q"});
  for (const char* same : {"https://a.b/", "http://[::1]:8080/x", "https://127.0.0.1:444/?a=%20"}) {
    CHECK(text(parse_url(same)) == same);
  }
}

TEST_CASE("what is no http url is refused") {
  for (const char* wrong : {"",
                            "http:",
                            "http://",
                            "ftp://x/",
                            "x/y",
                            "//x/",
                            "http:///p",
                            "http://:80/",
                            "http://x:0/",
                            "http://x:99999/",
                            "http://x:8a/",
                            "http://[::1/",
                            "http://[x]/",
                            "http://::1/",
                            "http://a b/",
                            "http://x/a b",
                            "http://x/\xc3\xa9",
                            "http://\xc3\xa9/",
                            "http://x/\r\nHost: y",
                            "http://-x/",
                            "http://x\\y/"}) {
    CAPTURE(wrong);
    CHECK(kind_of([&] { parse_url(wrong); }) == Error::invalid);
  }
}

TEST_CASE("a url with a password is refused without repeating it") {
  for (const char* wrong : {"http://user:canary@x/", "https://canary@x", "http://a@canary@x/?q"}) {
    try {
      parse_url(wrong);
      FAIL("it was taken");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find("canary") == std::string::npos);
    }
  }
  CHECK(parse_url("http://x/a@b").target == "/a@b");
}

TEST_CASE("the Host header names the port only where it is not the scheme's own") {
  CHECK(host_header(parse_url("https://x/")) == "x");
  CHECK(host_header(parse_url("http://x:443/")) == "x:443");
  CHECK(host_header(parse_url("https://[::1]:444/")) == "[::1]:444");
}

TEST_CASE("a path takes the place of a url's own, and cannot bring more than itself") {
  Url url = parse_url("https://x/a?b");
  CHECK(text(at(url, "/c?d")) == "https://x/c?d");
  for (const char* wrong : {"", "c", "/a b", "/a\r\nb"})
    CHECK(kind_of([&] { at(url, wrong); }) == Error::invalid);
  CHECK(percent_encode("a b/\xc3\xa9~") == "a%20b%2F%C3%A9~");
}

}  // namespace holdall::net
