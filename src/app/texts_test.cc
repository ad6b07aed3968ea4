#include <doctest/doctest.h>

#include "app/dotenv.h"
#include "app/ports.h"
#include "app/quantity.h"
#include "app/shell_words.h"
#include "app/template.h"

using namespace holdall;
using namespace holdall::app;
using namespace std::chrono_literals;

namespace {

const Lookup kOutside = [](const std::string& name) -> std::optional<std::string> {
  if (name == "SET") return "val";
  if (name == "EMPTY") return "";
  return std::nullopt;
};

std::string expand(std::string_view text) {
  Substituted result = substitute(text, kOutside, [](const std::string&) {});
  return result.error.empty() ? result.text : "error: " + result.error;
}

std::map<std::string, std::string> dotenv(std::string_view bytes, Findings& findings) {
  std::map<std::string, std::string> variables;
  parse_dotenv(bytes, DotenvFormat::compose, "e.env", kOutside, variables, findings);
  return variables;
}

std::map<std::string, std::string> dotenv(std::string_view bytes) {
  Findings findings;
  auto variables = dotenv(bytes, findings);
  CHECK(findings.problems.empty());
  return variables;
}

using Variables = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("variables take defaults, demand values and give replacements") {
  CHECK(expand("$SET-${SET}") == "val-val");
  CHECK(expand("${EMPTY:-d}|${EMPTY-d}|${NOPE-d}") == "d||d");
  CHECK(expand("${SET:+x}|${NOPE:+x}|${EMPTY+x}") == "x||x");
  CHECK(expand("${NOPE:-${SET}}") == "val");
  CHECK(expand("${NOPE:-{\"a\":{}}}") == "{\"a\":{}}");
  CHECK(expand("${NOPE:?say ${SET}}") == "error: required variable NOPE has no value: say val");
  CHECK(expand("$$SET|a$|$1|$(x)") == "$SET|a$|$1|$(x)");
  CHECK(expand("${SET:=x}").starts_with("error: '${SET:=x}' is no variable"));
  CHECK(expand("${SET").starts_with("error: '${SET' has no closing brace"));
}

TEST_CASE("only what is used counts as unset") {
  std::vector<std::string> unset;
  substitute("${SET:-$A} ${NOPE:-$B} $C ${NOPE:+$D}", kOutside,
             [&](const std::string& name) { unset.push_back(name); });
  CHECK(unset == std::vector<std::string>{"B", "C"});
}

TEST_CASE("doubling dollars and taking them back is no change") {
  for (std::string_view text : {"", "$", "a$b", "$$", "${X}", "a"}) {
    CHECK(unescape_dollars(escape_dollars(text)) == text);
    CHECK(expand(escape_dollars(text)) == text);
  }
}

TEST_CASE("a template can become a template again, with what is looked up as it is") {
  Lookup secrets = [](const std::string& name) -> std::optional<std::string> {
    if (name == "KEY") return "${KEY}";
    return std::nullopt;
  };
  auto again = [&](std::string_view text) {
    return substitute(text, secrets, [](const std::string&) {}, "$$").text;
  };
  CHECK(again("a$$b $KEY ${NOPE:-c$$d}|$|") == "a$$b ${KEY} c$$d|$$|");
}

TEST_CASE("variables that double each other do not fill the memory") {
  std::string bytes = "A0=xxxxxxxxxxxxxxxx\n";
  for (int i = 1; i < 60; ++i)
    bytes += "A" + std::to_string(i) + "=$A" + std::to_string(i - 1) + "$A" + std::to_string(i - 1) + "\n";
  Findings findings;
  dotenv(bytes, findings);
  REQUIRE_FALSE(findings.problems.empty());
  CHECK(text(findings.problems[0]) == "e.env:18: A17: the value grows over 1 MiB");
}

TEST_CASE("an env file is read as Compose reads it") {
  CHECK(dotenv("A=1\r\nexport B = two words  \nC: yaml\n") ==
        Variables{{"A", "1"}, {"B", "two words"}, {"C", "yaml"}});
  CHECK(dotenv("A=x # comment\nB=x#y\nC=#z\n#D=1\n") == Variables{{"A", "x"}, {"B", "x#y"}, {"C", "#z"}});
  CHECK(dotenv("A='a $SET \\n'\nB=\"b $SET \\n\"\n") == Variables{{"A", "a $SET \\n"}, {"B", "b val \n"}});
  CHECK(dotenv("A='one\ntwo'\nB=\"\\$SET\"\n") == Variables{{"A", "one\ntwo"}, {"B", "$SET"}});
  CHECK(dotenv("A=1\nA=2\nB=$A$NOPE\n") == Variables{{"A", "2"}, {"B", "2"}});
  CHECK(dotenv("SET\nNOPE\n") == Variables{{"SET", "val"}});
  CHECK(dotenv("SET") == Variables{{"SET", "val"}});
  CHECK(dotenv("\xef\xbb\xbf"
               "A=1") == Variables{{"A", "1"}});
  CHECK(dotenv("").empty());
}

TEST_CASE("faults of an env file are told with their lines, all of them") {
  Findings findings;
  CHECK(dotenv("A B=1\nC=2\nD$=3\n=4\nE=${\nF=\"open\n", findings) == Variables{{"C", "2"}});
  REQUIRE(findings.problems.size() == 5);
  CHECK(text(findings.problems[0]) == "e.env:1: 'A B': a name cannot hold a blank\n  write KEY=value");
  CHECK(findings.problems[1].where.line == 3);
  CHECK(findings.problems[2].what == "a value without a name");
  CHECK(findings.problems[3].where.line == 5);
  CHECK(findings.problems[4].what == "F: the quoted value has no closing \"");
}

TEST_CASE("a raw env file keeps values as they are") {
  Findings findings;
  Variables variables;
  parse_dotenv("A='q' # c\n# comment\nB=$SET\nSET\n", DotenvFormat::raw, "e.env", kOutside, variables,
               findings);
  CHECK(variables == Variables{{"A", "'q' # c"}, {"B", "$SET"}, {"SET", "val"}});
}

TEST_CASE("a command line is split without a shell, and says what a shell would have run") {
  auto words = [](std::string_view line) { return split_shell_words(line)->words; };
  using Words = std::vector<std::string>;
  CHECK(words("a 'b c' \"d e\"") == Words{"a", "b c", "d e"});
  CHECK(words("a\\ b ''") == Words{"a b", ""});
  CHECK(words("sh -c 'a && b'") == Words{"sh", "-c", "a && b"});
  CHECK(split_shell_words("a && b")->dropped == "&& b");
  CHECK(words("a 2>&1") == Words{"a"});
  CHECK_FALSE(split_shell_words("a 'b"));
  CHECK_FALSE(split_shell_words("(a)"));
  CHECK_FALSE(split_shell_words("a\\"));
}

TEST_CASE("durations are read and printed as Go has them") {
  CHECK(parse_duration("1m30s") == 90s);
  CHECK(parse_duration("1.5h") == 90min);
  CHECK(parse_duration("2d") == 48h);
  CHECK(parse_duration("-1s") == -1s);
  for (std::string_view wrong : {"", "90", "1M", "s", "1s1", "1.2.3s", "999999w", "1e3s", "-"}) {
    CHECK_MESSAGE(!parse_duration(wrong), wrong);
  }
  CHECK(print_duration(90s) == "1m30s");
  CHECK(print_duration(48h) == "48h0m0s");
  CHECK(print_duration(100us) == "100µs");
  CHECK(print_duration(1500ms) == "1.5s");
  CHECK(print_duration(0s) == "0s");
  CHECK(print_duration(-1s) == "-1s");
}

TEST_CASE("sizes are counted in 1024s") {
  CHECK(parse_bytes("100") == 100u);
  CHECK(parse_bytes("1.5k") == 1536u);
  CHECK(parse_bytes("64 MiB") == std::uint64_t{64} << 20);
  for (std::string_view wrong : {"", "2Gi", "10m5k", "-1", "k"}) CHECK_MESSAGE(!parse_bytes(wrong), wrong);
}

TEST_CASE("a short port says what it publishes, or why it is none") {
  std::string error;
  auto ports = parse_short_port("[::1]:8000-8001:9000-9001/TCP", error);
  REQUIRE(ports.size() == 2);
  CHECK(ports[1].host_ip == "::1");
  CHECK(ports[1].published == "8001");
  CHECK(ports[1].target == 9001);
  CHECK(ports[1].protocol == "tcp");
  for (const char* wrong :
       {"", ":", "a", "99999", "80:99999", "1.2.3:80:80", "::1:80:80", "80/foo", "1-2:3-5", "9-8"}) {
    error.clear();
    CHECK_MESSAGE(parse_short_port(wrong, error).empty(), wrong);
    CHECK_MESSAGE(!error.empty(), wrong);
  }
}
