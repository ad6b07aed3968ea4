#include <doctest/doctest.h>

#include <functional>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/words.h"

using namespace holdall;
using namespace holdall::cli;

namespace {

constexpr Command kTable[] = {
    {"deploy", "Releases", "release", nullptr},
    {"logs", "Here", "show output", nullptr},
    {"ps", "Here", "list", nullptr},
    {"control", "", "", nullptr},
};

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    CHECK(error.kind() == Error::invalid);
    return error.what();
  }
  return "";
}

Start start(std::vector<const char*> words) {
  words.insert(words.begin(), "holdall");
  return parse_start(static_cast<int>(words.size()), const_cast<char**>(words.data()));
}

}  // namespace

TEST_CASE("a mistyped command is answered with the one that was meant") {
  CHECK(unknown_command({"depoly"}, kTable).find("did you mean `holdall deploy`?") != std::string::npos);
  CHECK(unknown_command({"log"}, kTable).find("`holdall logs`") != std::string::npos);
  CHECK(unknown_command({"frobnicate"}, kTable).find("see: holdall --help") != std::string::npos);
}

TEST_CASE("hidden commands are never suggested") {
  CHECK(unknown_command({"contrl"}, kTable).find("`holdall control`") == std::string::npos);
}

TEST_CASE("commands of later versions say so") {
  CHECK(unknown_command({"backups"}, kTable) == "`holdall backups` is not in this version yet");
  CHECK(unknown_command({"rollout:undo"}, kTable).find("unknown command") != std::string::npos);
}

TEST_CASE("what other tools call otherwise is answered with one line that names ours") {
  CHECK(unknown_command({"logs:tail"}, kTable) == "'logs:tail' is `holdall logs -f` here");
  CHECK(unknown_command({"app", "logs", "-f"}, kTable) == "'app logs' is `holdall logs` here");
  CHECK(unknown_command({"app"}, kTable) == "'app' is `holdall ps` here");
  CHECK(unknown_command({"domains:add", "shop.example"}, kTable) ==
        "'domains:add' is `holdall deploy` here; a domain is `route:` of a service in compose.yaml");
  CHECK(unknown_command({"docs"}, kTable) == "'docs' is `holdall --help` here");
  CHECK(unknown_command({"config:set"}, kTable) ==
        "'config:set' is `holdall env set` here, which is not in this version yet");
}

TEST_CASE("global flags stand before the command; what follows its name is the command's") {
  Start parsed = start({"-f", "a.yaml", "-f", "b.yaml", "-p", "shop", "-y", "logs", "-f", "web"});
  CHECK(parsed.globals.files == std::vector<std::string>{"a.yaml", "b.yaml"});
  CHECK(parsed.globals.project_name == "shop");
  CHECK(parsed.globals.yes);
  CHECK(parsed.rest == std::vector<std::string>{"logs", "-f", "web"});
}

TEST_CASE("an unknown flag before the command is refused") {
  CHECK(refusal([] { start({"--frob", "logs"}); }).find("--frob") != std::string::npos);
  CHECK(refusal([] { start({"--ansi", "sometimes", "logs"}); }).find("--ansi") != std::string::npos);
}

TEST_CASE("global flags may follow the command too, but for names that are its own") {
  Invocation call{kTable[1], {}, {"-f", "-H", "unix:///run/x", "web", "--file", "c.yaml"}};
  bool follow = false;
  std::vector<std::string> services;
  Options options(call, "  holdall logs");
  options.flag("-f,--follow", follow, "go on");
  options.arguments("SERVICE", services, "only these");
  CHECK(options.parse());
  CHECK(follow);
  CHECK(services == std::vector<std::string>{"web"});
  CHECK(call.globals.host == "unix:///run/x");
  CHECK(call.globals.files == std::vector<std::string>{"c.yaml"});
}

TEST_CASE("wrong flags and arguments are refused with the command's name and where to look") {
  auto parse = [](std::vector<std::string> arguments) {
    return refusal([&] {
      Invocation call{kTable[1], {}, std::move(arguments)};
      std::optional<int> tail;
      Options options(call, "  holdall logs");
      options.number("-n,--tail", tail, "LINES", "the last");
      options.parse();
    });
  };
  CHECK(parse({"--frob"}) == "holdall logs: unknown flag --frob\n  see: holdall logs --help");
  CHECK(parse({"web"}) == "holdall logs: unexpected argument 'web'\n  see: holdall logs --help");
  CHECK(parse({"-n", "many"}).find("'many' is no count") != std::string::npos);
  CHECK(parse({"-n", "5"}).empty());
}
