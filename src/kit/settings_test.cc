#include "kit/settings.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include "base/fake.h"
#include "base/files.h"

namespace holdall::kit {
namespace {

using namespace std::chrono_literals;

struct Example {
  std::string text;
  std::int64_t count;
  bool on;
  std::chrono::milliseconds span;
  net::Url url;
  Secret key;
};
constexpr Setting<Example> kTable[] = {
    {"T_TEXT", &Example::text, "x", "a text"},       {"T_COUNT", &Example::count, "3", "a count"},
    {"T_ON", &Example::on, "true", "a switch"},      {"T_SPAN", &Example::span, "10s", "a span"},
    {"T_URL", &Example::url, required, "a service"}, {"T_KEY", &Example::key, required, "its key"},
};

/// A variable that is there for as long as this lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;

 private:
  const char* name_;
};

Example read(std::vector<Problem>& problems) {
  return read_settings(std::span<const Setting<Example>>(kTable), problems);
}

}  // namespace

TEST_CASE("settings come from the environment, else from their defaults; an empty variable counts as none") {
  Variable url("T_URL", "https://x/1"), key("T_KEY", "k"), text("T_TEXT", ""), span("T_SPAN", "250ms");
  std::vector<Problem> problems;
  Example example = read(problems);
  CHECK(problems.empty());
  CHECK(example.text == "x");
  CHECK(example.count == 3);
  CHECK(example.on);
  CHECK(example.span == 250ms);
  CHECK(example.url.host == "x");
  CHECK(example.key.view() == "k");
}

TEST_CASE("all that is missing or wrong is told at once, a secret's value never") {
  Variable count("T_COUNT", "3x"), on("T_ON", "yes"), span("T_SPAN", "10"), url("T_URL", "canary://x");
  std::vector<Problem> problems;
  read(problems);
  REQUIRE(problems.size() == 5);
  CHECK(text(problems[0]) == "T_COUNT: '3x' is no whole number: a count");
  CHECK(text(problems[1]) == "T_ON: 'yes' is no true or false: a switch");
  CHECK(text(problems[2]) == "T_SPAN: '10' is no span like 250ms, 10s, 2m or 1h: a span");
  CHECK(problems[3].where.file == "T_URL");
  CHECK(text(problems[4]).find("give it as the file /run/secrets/T_KEY or as the variable T_KEY") !=
        std::string::npos);
}

TEST_CASE("spans have a unit and do not overflow") {
  for (const char* wrong :
       {"-1s", "s", "1d", "1 s", "9223372036854775807h", "99999999999999999999s", "1.5s"}) {
    Variable url("T_URL", "http://x/"), key("T_KEY", "k"), span("T_SPAN", wrong);
    std::vector<Problem> problems;
    read(problems);
    CHECK_MESSAGE(problems.size() == 1, wrong);
  }
}

TEST_CASE("a secret that is nowhere is missing, and its name is no path") {
  CHECK(kind_of([] { secret("T_NOWHERE"); }) == Error::missing);
  CHECK(kind_of([] { secret("../../etc/hostname"); }) == Error::missing);
  Variable here("T_HERE", "value\n");
  CHECK(secret("T_HERE").view() == "value\n");
}

TEST_CASE("a secret's file goes before the variable, byte by byte") {
  TemporaryDirectory place;
  write_file_atomic(place.path / "T_FILE", std::string_view("from\0file\n", 10));
  Variable where("HOLDALL_SECRETS", place.path.c_str()), also("T_FILE", "variable"),
      other("T_OTHER", "variable");
  CHECK(secret("T_FILE").view() == std::string_view("from\0file\n", 10));
  CHECK(secret("T_OTHER").view() == "variable");
}

TEST_CASE("a table is described with types and defaults, and without a secret's") {
  static constexpr Setting<Example> kSecret[] = {{"T_KEY", &Example::key, "canary", "its key"},
                                                 {"T_URL", &Example::url, required, "a service"}};
  std::string told = describe(setting_rows(std::span<const Setting<Example>>(kSecret)));
  CHECK(told.find("canary") == std::string::npos);
  CHECK(told.find("url, required") != std::string::npos);
}

}  // namespace holdall::kit
