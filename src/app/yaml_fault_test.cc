#include "app/yaml_fault.h"

#include <doctest/doctest.h>

#include <string>

#include "app/yaml.h"

using namespace holdall;
using namespace holdall::app;

namespace {

/// What the first fault of `text` is said to be: "LINE:COLUMN WHAT / HINT".
std::string said_of(std::string_view text) {
  Findings findings;
  parse_yaml(text, "compose.yaml", findings);
  REQUIRE(findings.problems.size() == 1);
  const Problem& problem = findings.problems[0];
  return std::to_string(problem.where.line) + ":" + std::to_string(problem.where.column) + " " +
         problem.what + " / " + problem.hint;
}

}  // namespace

TEST_CASE("a tab is said to be one, where it stands") {
  CHECK(said_of("web:\n  image: a\n\tports: [80]\n") == "3:1 a tab cannot indent YAML / use spaces");
  CHECK(said_of("web:\n  \timage: a\n") == "2:3 a tab cannot indent YAML / use spaces");
}

TEST_CASE("a line that is indented too deep or too little names the lines it could stand under") {
  CHECK(said_of("web:\n  image: a\n    ports: [80]\n") ==
        "3:5 'ports' is indented deeper than 'image' above it, which has a value already / indent it by 2 "
        "spaces, "
        "as the line above");
  CHECK(said_of("s:\n  web:\n    image: a\n   ports: [80]\n") ==
        "4:4 this line is indented by 3 spaces, as no line above it that it could belong to / indent it as "
        "one of "
        "these: 'image' (line 3) by 4, 'web' (line 2) by 2, 's' (line 1) by 0");
}

TEST_CASE("a space that is missing after a colon is found in the line above") {
  CHECK(said_of("web:\n  image:a:1\n  ports: [80]\n") ==
        "2:8 there is no space after 'image:' / write 'image: ...'");
}

TEST_CASE("a quote or bracket is named where it opens, not where the parser noticed") {
  CHECK(said_of("web:\n  image: \"a\n  ports:\n    - \"80:80\"\n") ==
        "2:10 the quote that opens here is not closed in this line / close it with \", and check the lines "
        "below");
  CHECK(said_of("web:\n  image: 'a\n") == "2:10 the quote that opens here is never closed / close it with '");
  CHECK(said_of("web:\n  env: {A: b\n  ports: [80]\n") ==
        "2:8 the '{' that opens here is not closed before line 3 / close it with '}', or put a comma "
        "between its values");
}

TEST_CASE("a value that should be quoted is said to need it, and is not repeated") {
  CHECK(
      said_of("PASSWORD: hunter2: x\n") ==
      "1:18 ': ' in the middle of a value would begin another key / put the whole value in quotes: PASSWORD: "
      "\"...\"");
  CHECK(said_of("image: @hunter2/x\n") ==
        "1:8 a value that is not quoted cannot begin with '@' / quote it: image: \"...\"");
  CHECK(said_of("hosts: *\n") ==
        "1:8 '*' is YAML's sign for an alias, and no name follows it / for the character itself quote it: "
        "\"*\"");
  CHECK(said_of("path: \"C:\\data\"\n") ==
        "1:10 in double quotes a backslash begins an escape, and this is none / put the value in single "
        "quotes, or "
        "write the backslash twice");
}

TEST_CASE("a list and a mapping in one, and a list in the line of its key, are said to be that") {
  CHECK(said_of("env:\n  - A=1\n  B: 2\n").starts_with("3:3 the list above it (line 2) goes on with '- '"));
  CHECK(said_of("env:\n  A: 1\n  - B=2\n").starts_with("3:3 a list item stands among the keys of a mapping"));
  CHECK(said_of("ports: - 80\n").starts_with("1:8 a list cannot begin in the line of its key"));
  CHECK(said_of("web:\n  image: a\n  ports\n  - 80\n").starts_with("3:3 this line has no ':' after its key"));
}

TEST_CASE("what is no text is said to be none, at its byte") {
  CHECK(said_of("a: b\nc: \xff\n") == "2:4 the file is not UTF-8 / save it as UTF-8");
  CHECK(said_of("a: b\nc: \x01\n") == "2:4 a control character stands here / remove it");
}
