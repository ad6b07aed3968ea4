#include "cli/completion.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "cli/options.h"
#include "cli/subcommands.h"

using namespace holdall;
using namespace holdall::cli;

namespace {

int logs_like(Invocation& call) {
  std::vector<std::string> services;
  std::optional<int> tail;
  bool follow = false;
  std::string format = "table";
  Options options(call, "  holdall logs -f web");
  options.arguments("SERVICE", services, "only these");
  options.flag("-f,--follow", follow, "go on with what comes");
  options.number("-n,--tail", tail, "LINES", "the last lines");
  options.choice("--format", format, {"table", "json"}, "how");
  return options.parse() ? 7 : 0;
}

int exec_like(Invocation& call) {
  std::string service;
  std::vector<std::string> argv;
  std::optional<std::string> dir;
  Options options(call, "  holdall exec web sh");
  options.program("SERVICE", service, "where", "COMMAND", argv, "what");
  options.value("-w,--workdir", dir, "DIR", "where it begins");
  if (!options.parse()) return 0;
  CHECK(service == "web");
  CHECK(argv == std::vector<std::string>{"ls", "-l", "--help"});
  return 7;
}

constexpr Command kWords[] = {{"secrets seal", "", "seal a value", logs_like},
                              {"secrets list", "", "list names", logs_like}};
int secrets_like(Invocation& call) { return run_word(call, {kWords, "  holdall secrets list"}); }

constexpr Command kTable[] = {
    {"exec", "Here", "run a program", exec_like},
    {"logs", "Here", "show output", logs_like},
    {"secrets", "Here", "sealed values", secrets_like},
    {"control", "", "", nullptr},
};

class Known final : public Names {
 public:
  std::vector<std::string> of(std::string_view kind, const Globals& globals) override {
    project = globals.project_name.value_or("");
    if (kind == "SERVICE") return {"web", "worker", "db"};
    return {};
  }
  std::string project;
};

std::vector<std::string> complete(const std::vector<std::string>& words) {
  Known known;
  std::vector<std::string> found;
  for (const Candidate& one : candidates(kTable, words, known)) found.push_back(one.word);
  return found;
}

using Found = std::vector<std::string>;

}  // namespace

TEST_CASE("commands that people may run are completed, others are not") {
  CHECK(complete({""}) == Found{"exec", "logs", "secrets"});
  CHECK(complete({"lo"}) == Found{"logs"});
  CHECK(complete({"con"}) == Found{});
  CHECK(complete({"help", "l"}) == Found{"logs"});
  CHECK(complete({"-p", "shop", "e"}) == Found{"exec"});
}

TEST_CASE("flags are completed, the command's own and the global ones") {
  CHECK(complete({"logs", "--f"}) == Found{"--follow", "--format", "--file"});
  CHECK(complete({"logs", "web", "--t"}) == Found{"--tail"});
  CHECK(complete({"logs", "--format", ""}) == Found{"table", "json"});
  CHECK(complete({"logs", "--format=j"}) == Found{"--format=json"});
  CHECK(complete({"--proj"}) == Found{"--project-name", "--project-directory"});
  CHECK(complete({"logs", "--tail", ""}) == Found{});
}

TEST_CASE("arguments are completed by what they name") {
  CHECK(complete({"logs", "w"}) == Found{"web", "worker"});
  CHECK(complete({"logs", "-n", "5", "web", "d"}) == Found{"db"});
  CHECK(complete({"-f", ""}) == Found{":files"});
  CHECK(complete({"--project-directory", ""}) == Found{":directories"});
}

TEST_CASE("what stands before the cursor says which project is meant") {
  Known known;
  candidates(kTable, {"logs", "-p", "shop", ""}, known);
  CHECK(known.project == "shop");
}

TEST_CASE("the words of a command are completed, and then what each takes") {
  CHECK(complete({"secrets", ""}) == Found{"seal", "list"});
  CHECK(complete({"secrets", "li"}) == Found{"list"});
  CHECK(complete({"secrets", "list", "--fol"}) == Found{"--follow"});
}

TEST_CASE("after the service of exec comes another program, whose flags are its own") {
  CHECK(complete({"exec", "d"}) == Found{"db"});
  CHECK(complete({"exec", "db", "ls", "-"}) == Found{":files"});
  CHECK(complete({"exec", "-w", ""}) == Found{":directories"});
  Invocation call{kTable[0], {}, {"web", "ls", "-l", "--help"}};
  CHECK(exec_like(call) == 7);
}

TEST_CASE("a shell that nobody knows has no script") {
  CHECK_THROWS_AS(completion_script("csh"), Error);
  CHECK(completion_script("zsh").starts_with("#compdef holdall\n"));
}

TEST_CASE("help says all that a command takes") {
  CHECK(help_text(describe(kTable[0], kTable)).starts_with(R"(run a program

Usage: holdall exec [FLAGS] SERVICE [COMMAND...]

Arguments:
  SERVICE       where
  [COMMAND...]  what

Flags:
  -w, --workdir DIR  where it begins

Global flags:
)"));
  CHECK(help_text(describe(kTable[2], kTable)).find("\nWords:\n  seal  seal a value\n") != std::string::npos);
}
