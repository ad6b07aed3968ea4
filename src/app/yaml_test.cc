#include "app/yaml.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include <fmt/format.h>

#include "app/app.h"
#include "app/scalar.h"

using namespace holdall;
using namespace holdall::app;

namespace {

struct Parsed {
  Findings findings;
  std::vector<Node> documents;

  explicit Parsed(std::string_view bytes) { documents = parse_yaml(bytes, "f.yaml", findings); }
  std::string problem() const { return findings.problems.empty() ? "" : text(findings.problems[0]); }
};

std::string repeat(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("every value knows its line and column") {
  Parsed parsed("a:\n  - x\n  - b: 1\n");
  const Node& list = *parsed.documents.at(0).find("a");
  CHECK(list.items.at(0).where == Where{"f.yaml", 2, 5});
  CHECK(list.items.at(1).find("b")->where == Where{"f.yaml", 3, 8});
}

TEST_CASE("a key that is written twice is refused with both lines") {
  CHECK(Parsed("a: 1\nb: 2\na: 3\n").problem() ==
        "f.yaml:3:1: key \"a\" is already defined at line 1\n  remove one of them");
}

TEST_CASE("a key must be a string") {
  CHECK(Parsed("1: x").problem() ==
        "f.yaml:1:1: a key must be a string, and this is an integer\n  quote it: \"1\"");
  CHECK(holds(Parsed("[a]: x").problem(), "a key must be a string, and this is a list"));
  CHECK(Parsed("yes: x").problem().empty());
}

TEST_CASE("the merge key gives what a mapping does not have, the earlier source first") {
  Parsed parsed("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 0}\n");
  const Node& c = *parsed.documents.at(0).find("c");
  CHECK(c.find("x")->integer == 0);
  CHECK(c.find("y")->integer == 1);
  CHECK(c.find("z")->integer == 2);
  CHECK(holds(Parsed("a: &a [1]\nb: {<<: *a}").problem(), "'<<' merges mappings, and this is an integer"));
  CHECK(holds(Parsed("a: &a {x: 1}\nb: {<<: *a, <<: *a}").problem(), "'<<: [*a, *b]'"));
  CHECK(Parsed("'<<': {a: 1}").documents.at(0).find("<<"));
}

TEST_CASE("an alias stands for a value before it, never for one around it") {
  CHECK(Parsed("a: &x 1\nb: *x").documents.at(0).find("b")->integer == 1);
  CHECK(holds(Parsed("a: *x").problem(), "alias '*x' has no anchor"));
  CHECK(holds(Parsed("a: &x [*x]").problem(), "a cycle"));
}

TEST_CASE("aliases of aliases do not grow beyond a hundred thousand values") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += fmt::format("a{}: &a{} [{}*a{}]\n", i, i, repeat(fmt::format("*a{}, ", i - 1), 8), i - 1);
  }
  CHECK(holds(Parsed(bomb).problem(), "more than 100000 values"));
}

TEST_CASE("nesting beyond a hundred levels is refused, through aliases too") {
  CHECK(Parsed(repeat("[", 99) + repeat("]", 99)).problem().empty());
  CHECK(holds(Parsed(repeat("[", 5000)).problem(), "more than 100 levels deep"));
  std::string deep =
      "a: &a " + repeat("[", 60) + repeat("]", 60) + "\nb: " + repeat("[", 60) + "*a" + repeat("]", 60);
  CHECK(holds(Parsed(deep).problem(), "more than 100 levels deep through alias '*a'"));
}

TEST_CASE("what is not YAML is refused where it stops being it") {
  CHECK(holds(Parsed("a:\n\tb: 1\n").problem(), "use spaces"));
  CHECK(holds(Parsed("a: \"x\n").problem(), "f.yaml:1:4: the quote that opens here is never closed"));
  CHECK(holds(Parsed("a: \"x\\0y\"").problem(), "NUL"));
  CHECK(holds(Parsed("a: \xff").problem(), "not UTF-8"));
}

TEST_CASE("documents of one stream come apart, up to a hundred") {
  CHECK(Parsed("a: 1\n---\nb: 2\n").documents.size() == 2);
  CHECK(holds(Parsed(repeat("--- {a: 1}\n", 101)).problem(),
              "f.yaml:101:1: more than 100 documents in one file"));
}

TEST_CASE("tags say how a value is merged, and !!str that it is a string") {
  Parsed parsed("a: !reset null\nb: !override [x]\nc: !!str 12\n");
  CHECK(parsed.documents.at(0).find("a")->tag == Node::Tag::reset);
  CHECK(parsed.documents.at(0).find("b")->tag == Node::Tag::override_);
  CHECK(parsed.documents.at(0).find("c")->is(Node::Kind::string));
}

TEST_CASE("unquoted scalars mean what they mean to Compose") {
  auto means = [](std::string_view text, Node::Kind kind, std::string_view canonical) {
    Node node = resolve_scalar(text);
    CHECK_MESSAGE(node.kind == kind, text);
    CHECK_MESSAGE(node.text == canonical, text);
  };
  using enum Node::Kind;
  means("0x1F", integer, "31");
  means("0644", integer, "420");
  means("0o644", integer, "420");
  means("0b11", integer, "3");
  means("1_000", integer, "1000");
  means("-9223372036854775808", integer, "-9223372036854775808");
  means("18446744073709551615", integer, "18446744073709551615");
  means("123456789012345678901", real, "1.2345678901234568e+20");
  means("1.10", real, "1.1");
  means("1e3", real, "1000");
  means("08", real, "8");
  means(".5", real, "0.5");
  means("1.", real, "1");
  means("-.inf", real, "-Inf");
  means("yes", string, "yes");
  means("22:22", string, "22:22");
  means("1.2.3", string, "1.2.3");
  means(".", string, ".");
  means("-", string, "-");
  means("+", string, "+");
  means("0x", string, "0x");
  means("2024-01-02", timestamp, "2024-01-02");
  means("2024-01-02T03:04:05Z", timestamp, "2024-01-02T03:04:05Z");
  means("True", boolean, "true");
  means("tRue", string, "tRue");
  means("~", null, "");
}

TEST_CASE("a model as YAML is written as Docker Compose writes it") {
  Json model = Json::parse(R"({
    "services": {"web": {
      "x-holdall": {"route": "a.example", "drain_timeout": "5s"},
      "image": "x", "command": null, "entrypoint": ["a b", "yes", "- x", "", "'q'", "tab\there", "12"],
      "environment": {"N": "1", "ML": "a\nb\n", "LEAD": " x\ny", "C": "x: y", "A": null},
      "ports": [{"target": 80, "mode": "ingress"}],
      "deploy": {"replicas": 2, "resources": {}, "placement": {}},
      "profiles": ["p"]}},
    "networks": {"default": {"name": "a_default", "ipam": {}}},
    "name": "a"})");
  CHECK(to_yaml(model) == R"(name: a
services:
  web:
    profiles:
      - p
    deploy:
      replicas: 2
    entrypoint:
      - a b
      - "yes"
      - '- x'
      - ""
      - '''q'''
      - "tab\there"
      - "12"
    environment:
      A: null
      C: 'x: y'
      LEAD: |2-
         x
        y
      ML: |
        a
        b
      "N": "1"
    image: x
    ports:
      - mode: ingress
        target: 80
    x-holdall:
      drain_timeout: 5s
      route: a.example
networks:
  default:
    name: a_default
)");
}
