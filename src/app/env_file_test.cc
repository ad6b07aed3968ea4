#include <doctest/doctest.h>
#include <stdlib.h>

#include "app/app.h"
#include "base/error.h"
#include "base/fake.h"
#include "base/files.h"

using namespace holdall;
using namespace holdall::app;
namespace fs = std::filesystem;

namespace {

std::string env_refusal(std::string_view text) {
  try {
    parse_env_file(text, "x.env");
  } catch (const Error& error) {
    CHECK(error.kind() == Error::invalid);
    return error.what();
  }
  FAIL("nothing was refused");
  return "";
}

}  // namespace

TEST_CASE("an env file is read as Compose reads it") {
  auto variables = parse_env_file("# x\nA=one # more\nexport B=\"two\\nlines\"\nC='pa$$word'\nD=\n", "x.env");
  CHECK(variables ==
        std::map<std::string, std::string>{{"A", "one"}, {"B", "two\nlines"}, {"C", "pa$$word"}, {"D", ""}});
}

TEST_CASE("nothing is looked up for an env file, and no message repeats what stands in it") {
  for (const char* text :
       {"A=hunter2$B", "A=${B:-hunter2}", "hunter2", "A=\"hunter2", "hunter2 x=1", "=hunter2"}) {
    std::string what = env_refusal(text);
    CHECK(what.starts_with("x.env"));
    CHECK(what.find("hunter2") == what.npos);
  }
  CHECK(env_refusal("A=1\nx y=2\nB=$C").find("x.env:2: this is no NAME=VALUE") != std::string::npos);
}

TEST_CASE("a project has a name though its services have problems") {
  TemporaryDirectory temporary;
  const fs::path& directory = temporary.path;
  write_file_atomic(directory / "compose.yaml",
                    "name: ${X:-shop}\nservices: {web: {frob: 1, environment: [SEALED]}}\n");
  LoadOptions options{.working_dir = directory, .release = true};
  CHECK_THROWS_AS(load(options), Error);
  CHECK(identify(options).app == "shop");
  CHECK(identify(options).sealed_file == directory / "secrets.sealed");
  options.project_name = "other";
  CHECK(identify(options).app == "other");
  write_file_atomic(directory / "compose.yaml", "name: [");
  CHECK_THROWS_AS(identify(options), Error);
  fs::remove(directory / "compose.yaml");
  CHECK_THROWS_AS(identify(options), Error);
}
