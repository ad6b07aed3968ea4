#include "api/ssh_key.h"

#include <doctest/doctest.h>

#include "base/error.h"

using namespace holdall;
using namespace holdall::api;

namespace {

const std::string kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqgMOaN8/6WaBXOLSmLHjYcSuU2zNLXTRWKnpXOC6W5";

}  // namespace

TEST_CASE("keys are read a line each, without comments, empty lines and what stands behind them") {
  auto keys = parse_ssh_keys("# laptop\n\n  " + kKey + " alice@laptop\r\n");
  REQUIRE(keys.size() == 1);
  CHECK(keys[0] == kKey);
}

TEST_CASE("a fingerprint is what ssh-keygen -l prints") {
  CHECK(fingerprint(kKey).starts_with("SHA256:"));
  CHECK(fingerprint(kKey).size() == sizeof "SHA256:" - 1 + 43);
}

TEST_CASE("a private key is refused before a byte of it is said again") {
  try {
    parse_ssh_keys("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----\n");
    FAIL("it was taken");
  } catch (const Error& error) {
    CHECK(error.kind() == Error::invalid);
    CHECK(std::string(error.what()).find("b3BlbnNz") == std::string::npos);
  }
}

TEST_CASE("options, types of old, bytes of another type and no key at all are refused") {
  for (const std::string& text : {"command=\"sh\" " + kKey, std::string("ssh-dss AAAAB3NzaC1kc3MAAACBAP"),
                                  "ssh-rsa" + kKey.substr(kKey.find(' ')), std::string("ssh-ed25519 !!!!"),
                                  std::string("# none\n"), std::string("")}) {
    CHECK_THROWS_AS(parse_ssh_keys(text), Error);
  }
}
