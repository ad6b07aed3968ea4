#include "base/secret_template.h"

#include <doctest/doctest.h>

namespace holdall {

using Parts = std::vector<TemplatePart>;

TEST_CASE("a template of secrets is text, doubled dollars and names in braces") {
  CHECK(parse_secret_template("") == Parts{});
  CHECK(parse_secret_template("plain") == Parts{{"plain", false}});
  CHECK(parse_secret_template("a$$b") == Parts{{"a$b", false}});
  CHECK(parse_secret_template("$${NOT}") == Parts{{"${NOT}", false}});
  CHECK(parse_secret_template("${A}") == Parts{{"A", true}});
  CHECK(parse_secret_template("x://u:${A_1}@h${b}$$") ==
        Parts{{"x://u:", false}, {"A_1", true}, {"@h", false}, {"b", true}, {"$", false}});
}

TEST_CASE("what else Compose reads in a value is no template of secrets") {
  for (const char* text : {"$", "$A", "a$", "${A", "${}", "${1A}", "${A:-x}", "${A B}", "$(A)", "$$$"}) {
    INFO(text);
    CHECK_FALSE(parse_secret_template(text).has_value());
  }
}

}  // namespace holdall
