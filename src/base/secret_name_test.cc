#include "base/secret_name.h"

#include <doctest/doctest.h>

#include <string>

using namespace holdall;

TEST_CASE("a name sounds secret by its words, however they are joined") {
  for (std::string name :
       {"PASSWORD", "DB_PASSWORD", "dbPassword", "MYSQLPASSWORD", "API_KEY", "api-key", "apiKey",
        "GITHUB_TOKEN", "SECRET_KEY_BASE", "JWT_SECRET", "REDIS_PASS", "AWS_SECRET_ACCESS_KEY"}) {
    CHECK_MESSAGE(names_a_secret(name), name);
  }
}

TEST_CASE("what holds no secret itself does not sound so: a file of one, a public key, another word") {
  for (std::string name : {"DB_PASSWORD_FILE", "PUBLIC_KEY", "KEYBOARD", "PASSENGERS", "MONKEY", "TOKENIZER",
                           "TOKEN_TTL", "ACCESS_KEY_ID", "DB_USER", "SECRET_PORT", "PORT", ""}) {
    CHECK_MESSAGE(!names_a_secret(name), name);
  }
}
