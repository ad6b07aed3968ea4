#include "base/digest.h"

#include <doctest/doctest.h>

#include "base/error.h"

using namespace holdall;

TEST_CASE("sha256 gives the digests of FIPS 180-4") {
  CHECK(sha256("").value == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc").value == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").value ==
        "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1'000'000, 'a')).value ==
        "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a digest does not depend on the pieces") {
  Sha256 hash;
  hash.update("a");
  hash.update("");
  hash.update("bc");
  CHECK(hash.finish() == sha256("abc"));
}

TEST_CASE("only sha256: and 64 lower-case hex digits are a digest") {
  std::string right = sha256("abc").value;
  CHECK(parse_digest(right).value == right);
  for (std::string wrong :
       {std::string(), right.substr(7), right.substr(0, 70), right + "0", "SHA256:" + right.substr(7),
        "sha256:" + std::string(64, 'A'), "sha256:" + std::string(64, '/')}) {
    CHECK_THROWS_AS(parse_digest(wrong), Error);
  }
}
