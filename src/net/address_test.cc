#include "net/address.h"

#include <doctest/doctest.h>

#include "base/error.h"

namespace holdall::net {

TEST_CASE("an address survives being written and read") {
  for (const char* written :
       {"127.0.0.1:8080", "[::1]:8080", ":80", "unix:///run/holdall/api.sock", "[::]:1"}) {
    CHECK(text(parse_address(written)) == written);
  }
}

TEST_CASE("two spellings of one IPv6 address are equal") {
  CHECK(parse_address("[0:0:0:0:0:0:0:1]:80") == parse_address("[::1]:80"));
}

TEST_CASE("an address that is no literal is refused") {
  for (const char* written :
       {"localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
        "[127.0.0.1]:80", "unix://relative", "", "300.0.0.1:80", "1.2.3.4:8o"}) {
    CAPTURE(written);
    CHECK_THROWS_AS(parse_address(written), Error);
  }
}

TEST_CASE("a socket's address comes back as it was given") {
  for (const char* written : {"127.0.0.1:8080", "[::1]:8080", "unix:///run/holdall/api.sock"}) {
    CHECK(text(address_of(socket_address(parse_address(written)).storage)) == written);
  }
}

TEST_CASE("an IPv4-mapped address comes out as IPv4") {
  CHECK(text(address_of(socket_address(parse_address("[::ffff:10.0.0.7]:5")).storage)) == "10.0.0.7:5");
}

TEST_CASE("a unix path over 100 bytes is refused and named") {
  Address address{"", 0, "/" + std::string(100, 'a')};
  CHECK_THROWS_WITH_AS(socket_address(address), doctest::Contains("101 bytes"), Error);
}

}  // namespace holdall::net
