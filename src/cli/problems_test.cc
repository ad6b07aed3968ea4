#include "cli/problems.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "base/fake.h"
#include "base/files.h"
#include "cli/source_line.h"

using namespace holdall;
using namespace holdall::cli;

namespace {

/// The line, and carets under it.
std::string drawn(std::string_view line, int column) {
  SourceLine shown = source_line(line, column);
  return shown.text + "\n" + std::string(shown.at, ' ') + std::string(shown.width, '^');
}

/// What is printed of one problem in `file`, which holds `text`.
std::string printed(const std::string& file, const std::string& text, const Problem& problem,
                    const char* ansi = "auto") {
  TemporaryDirectory directory;
  write_file_atomic(directory.path / file, text);
  Fd paper(memfd_create("paper", MFD_CLOEXEC));
  print_errors(Terminal(paper.get(), ansi), std::span(&problem, 1), directory.path);
  std::string out(4096, '\0');
  out.resize(static_cast<std::size_t>(pread(paper.get(), out.data(), out.size(), 0)));
  return out;
}

}  // namespace

TEST_CASE("a problem is shown with its line, a caret under the word, and how to mend it") {
  Problem problem{{"compose.yaml", 2, 3}, "there is no key 'comand'", "did you mean 'command'?"};
  CHECK(printed("compose.yaml", "web:\n  comand: run\n", problem) ==
        "error: compose.yaml:2:3: there is no key 'comand'\n"
        "  2 |   comand: run\n"
        "    |   ^^^^^^\n"
        "  did you mean 'command'?\n");
}

TEST_CASE("colour comes on a terminal alone") {
  Problem problem{{"compose.yaml", 1, 1}, "wrong", ""};
  CHECK(printed("compose.yaml", "web:\n", problem).find('\x1b') == std::string::npos);
  CHECK(printed("compose.yaml", "web:\n", problem, "always").find("\x1b[31m^^^\x1b[0m") != std::string::npos);
}

TEST_CASE("no line is shown of an env file, of a file that is gone, or that has no such line any more") {
  for (auto [name, line] : {std::pair{".env", 1}, {"compose.yml", 9}}) {
    Problem problem{{name, line, 1}, "wrong", ""};
    CHECK(printed(name, "A=1\n", problem) == "error: " + text(problem) + "\n");
  }
  Problem elsewhere{{"other.yaml", 1, 1}, "wrong", ""};
  CHECK(printed("compose.yaml", "A=1\n", elsewhere) == "error: other.yaml:1:1: wrong\n");
}

TEST_CASE("a problem cannot write control characters to a terminal, nor can the line it is in") {
  Problem problem{{"compose.yaml", 1, 1}, "no key '\x1b[2J'", ""};
  std::string out = printed("compose.yaml", "\x1b[31mweb: \xe2\x80\xae x\n", problem);
  CHECK(out == "error: compose.yaml:1:1: no key '?[2J'\n  1 | ?[31mweb: ? x\n    | ^^^^^^^^\n");
}

TEST_CASE("the caret stands right behind tabs, wide characters, marks and bytes that are no UTF-8") {
  CHECK(drawn("\tweb: x", 2) == "    web: x\n    ^^^");
  CHECK(drawn("a: \xe6\x97\xa5\xe6\x9c\xac web", 7) == "a: \xe6\x97\xa5\xe6\x9c\xac web\n        ^^^");
  CHECK(drawn("e\xcc\x81: web", 5) == "e\xcc\x81: web\n   ^^^");
  CHECK(drawn("\xff\xfe: web", 5) == "??: web\n    ^^^");
  CHECK(drawn("\xef\xbb\xbfweb: x", 1) == "web: x\n^^^");
  CHECK(drawn("  \tx: 1", 3) == "      x: 1\n  ^^^^");
}

TEST_CASE("a caret may stand behind the end of a line") { CHECK(drawn("a: \"b\r", 7) == "a: \"b\n     ^"); }

TEST_CASE("a long line is cut around the caret") {
  SourceLine head = source_line("key: " + std::string(300, 'x'), 1);
  CHECK(head.text == "key: " + std::string(95, 'x') + "...");
  SourceLine middle = source_line(std::string(150, 'a') + " here: " + std::string(150, 'b'), 152);
  CHECK(middle.text.starts_with("...a"));
  CHECK(middle.text.ends_with("b..."));
  CHECK(middle.text.size() <= 106);
  CHECK(middle.text.substr(middle.at, middle.width) == "here");
  SourceLine end = source_line(std::string(150, 'a') + " here", 152);
  CHECK(end.text.ends_with(" here"));
}

TEST_CASE("the value of a name that sounds secret is never shown, whichever way it is written") {
  for (std::string line :
       {"  DB_PASSWORD: hunter2", "  - DB_PASSWORD=hunter2", "  {DB_PASSWORD: hunter2, A: b}",
        "  - \"DB_PASSWORD=hunter2\"", "  \"DB_PASSWORD\" : hunter2", "  command: [run, --api-key=hunter2]",
        "  DB_PASSWORD: ${X:-hunter2}", "  URL: postgres://app:hunter2@db/app"}) {
    for (int column = 1; column < 40; ++column) {
      SourceLine shown = source_line(line, column);
      INFO(line);
      CHECK(shown.text.find("hunter") == std::string::npos);
      CHECK(shown.at <= shown.text.size());
    }
  }
  CHECK(drawn("  DB_PASSWORD: hunter2", 18) == "  DB_PASSWORD: ***\n               ^^^");
  CHECK(drawn("  DB_PASSWORD: hunter2", 3) == "  DB_PASSWORD: ***\n  ^^^^^^^^^^^");
}

TEST_CASE("what only names a secret is shown") {
  for (std::string line : {"  DB_PASSWORD: ${DB_PASSWORD}", "  - DB_PASSWORD=$DB_PASSWORD",
                           "  DB_PASSWORD: ${DB_PASSWORD:?set it}", "  DB_PASSWORD_FILE: /run/secrets/x",
                           "    secrets: [db_password]", "  image: postgres:16",
                           "  URL: postgres://app:${DB_PASSWORD}@db/app"}) {
    CHECK(source_line(line, 1).text == line);
  }
}
