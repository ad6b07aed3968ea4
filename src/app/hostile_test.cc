// Files that are written to break who reads them: each is read or refused with its place, soon and in little
// memory.
#include <doctest/doctest.h>

#include <string>

#include <fmt/format.h>

#include "app/project_test.h"

using namespace holdall;
using namespace holdall::app;

namespace {

const std::string kService = "services:\n  a: {image: x}\n";

template <typename Line>
std::string repeat(int count, Line line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line(i);
  return text;
}

std::string times(int count, std::string_view text) {
  return repeat(count, [&](int) { return text; });
}

/// What a project is refused with; empty if it is read.
std::string refusal(const ProjectInMemory& project) {
  return ProjectInMemory::refusal([&] {
    const Loaded loaded = project.read();
    CHECK(!to_yaml(loaded.model).empty());
    CHECK(!to_json_text(loaded.model).empty());
  });
}

bool says(const std::string& refusal, std::string_view what) {
  INFO(refusal.substr(0, 1000));
  return refusal.find(what) != std::string::npos;
}

constexpr const char* kGrows = "grows over 500000 values";

}  // namespace

TEST_CASE("aliases that multiply count for all they stand for") {
  const std::string lists =
      "x-a0: &a0 [x, x, x, x, x, x, x, x]\n" + repeat(12, [](int i) {
        return fmt::format("x-a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i + 1, i);
      });
  const std::string mappings = "x-a0: &a0 {k: v}\n" + repeat(40, [](int i) {
                                 return fmt::format("x-a{0}: &a{0} {{l: *a{1}, r: *a{1}}}\n", i + 1, i);
                               });
  CHECK(says(refusal(ProjectInMemory(kService + lists)), "more than 100000 values"));
  CHECK(says(refusal(ProjectInMemory(kService + mappings)), "more than 100000 values"));
  const std::string merged =
      "x-a0: &a0 {k: v}\n" + repeat(40, [](int i) {
        return fmt::format("x-a{0}: &a{0} {{<<: [*a{1}, *a{1}], k{0}: v}}\n", i + 1, i);
      });
  CHECK(refusal(ProjectInMemory(kService + merged)) == "");
}

TEST_CASE("a file has 100,000 values at most") {
  CHECK(refusal(ProjectInMemory(kService + "x-l:\n" + times(99'000, "- a\n"))) == "");
  CHECK(says(refusal(ProjectInMemory(kService + "x-l:\n" + times(101'000, "- a\n"))),
             "more than 100000 values"));
}

TEST_CASE("nesting ends at 100 levels, in either style and through aliases") {
  CHECK(says(refusal(ProjectInMemory(kService + "x-l: " + times(20'000, "["))), "more than 100 levels deep"));
  CHECK(says(refusal(ProjectInMemory(kService + "x-l:\n" + times(20'000, "- ") + "a\n")),
             "more than 100 levels"));
  const std::string blocks =
      repeat(200, [](int i) { return std::string(static_cast<std::size_t>(i) + 1, ' ') + "a:\n"; });
  CHECK(says(refusal(ProjectInMemory(kService + "x-m:\n" + blocks)), "more than 100 levels deep"));
  const std::string aliases =
      "x-a0: &a0 [x]\n" + repeat(120, [](int i) { return fmt::format("x-a{0}: &a{0} [*a{1}]\n", i + 1, i); });
  CHECK(says(refusal(ProjectInMemory(kService + aliases)), "more than 100 levels deep through alias"));
  CHECK(says(refusal(ProjectInMemory(kService + "x-a: &a [*a]\n")), "a cycle"));
}

TEST_CASE("what extends multiplies is counted, and a chain of it ends at 100 levels") {
  const std::string cycle =
      repeat(500, [](int i) { return fmt::format("  s{}: {{extends: s{}}}\n", i, (i + 1) % 500); });
  CHECK(says(refusal(ProjectInMemory("services:\n" + cycle)), "more than 100 levels of extends"));
  CHECK(says(refusal(ProjectInMemory("services: {a: {extends: b}, b: {extends: a}}")),
             "goes round: a -> b -> a"));
  const std::string chain =
      repeat(20'000, [](int i) { return fmt::format("  s{}: {{extends: s{}}}\n", i, i + 1); });
  CHECK(says(refusal(ProjectInMemory("services:\n" + chain + "  s20000: {image: x}\n")),
             "more than 100 levels of extends"));
  const std::string wide = "  big:\n    image: x\n    environment:\n" +
                           repeat(10'000, [](int i) { return fmt::format("      V{}: x\n", i); }) +
                           repeat(1'000, [](int i) { return fmt::format("  s{}: {{extends: big}}\n", i); });
  CHECK(says(refusal(ProjectInMemory("services:\n" + wide)), kGrows));
}

TEST_CASE("what include multiplies is counted, and a chain of it ends at 100 levels") {
  CHECK(says(refusal(ProjectInMemory("include: [compose.yaml]\n" + kService)), "goes round"));
  ProjectInMemory twice("include: [i0.yaml]\n" + kService), chain("include: [i0.yaml]\n" + kService);
  for (int i = 0; i < 200; ++i) {
    twice.files[fmt::format("i{}.yaml", i)] =
        fmt::format("include: [i{0}.yaml, i{0}.yaml]\nservices: {{}}\n", i % 40 + 1);
    chain.files[fmt::format("i{}.yaml", i)] = fmt::format("include: [i{}.yaml]\nservices: {{}}\n", i + 1);
  }
  twice.files["i40.yaml"] = "services: {}\n";
  CHECK(says(refusal(twice), kGrows));
  CHECK(says(refusal(chain), "more than 100 levels of include"));
}

TEST_CASE("an env file of many services and a range of ports count each time") {
  ProjectInMemory files("services:\n" + repeat(1'000, [](int i) {
                          return fmt::format("  s{}: {{image: x, env_file: e.env}}\n", i);
                        }));
  files.files["e.env"] = times(100'000, "# nothing\n");
  CHECK(says(refusal(files), kGrows));
  const std::string ports =
      repeat(10, [](int i) { return fmt::format("  s{}: {{image: x, ports: [\"1-65535:1-65535\"]}}\n", i); });
  CHECK(says(refusal(ProjectInMemory("services:\n" + ports)), kGrows));
}

TEST_CASE("documents that are merged onto a large one count it each time") {
  CHECK(says(
      refusal(ProjectInMemory(kService + "x-l:\n" + times(90'000, "- a\n") + times(90, "---\nx-a: 1\n"))),
      kGrows));
}

TEST_CASE("variables that grow end the reading") {
  ProjectInMemory doubling(kService + "x-v: $A40\n");
  doubling.files[".env"] =
      "A0=xx\n" + repeat(40, [](int i) { return fmt::format("A{}=$A{}$A{}\n", i + 1, i, i); });
  CHECK(says(refusal(doubling), "1 MiB"));
  ProjectInMemory many(kService + "x-v:\n" + times(1'000, "- $BIG\n"));
  many.files[".env"] = "BIG=" + std::string(100'000, 'x') + "\n";
  CHECK(says(refusal(many), "64 MiB"));
  CHECK(says(
      refusal(ProjectInMemory(kService + "x-v: '" + times(20'000, "${A:-") + times(20'000, "}") + "'\n")),
      "levels"));
  CHECK(says(refusal(ProjectInMemory(kService + "x-v: '" + times(20'000, "${A:-") + "'\n")),
             "no closing brace"));
}

TEST_CASE("large scalars and lists are read, and bytes that are no text are refused") {
  CHECK(refusal(ProjectInMemory(kService + "x-s: \"" + std::string(1 << 20, 'a') + "\"\n")) == "");
  CHECK(says(refusal(ProjectInMemory("services:\n  a: {image: \"\xff\xfe\"}\n")), "UTF-8"));
  CHECK(says(refusal(ProjectInMemory("services:\n  a: {image: \"x\\0\"}\n")), "NUL"));
  const std::string variables = repeat(5'000, [](int i) { return fmt::format("      - V{}=$U{}\n", i, i); });
  CHECK(refusal(ProjectInMemory("services:\n  a:\n    image: x\n    environment:\n" + variables)) == "");
  const std::string depends =
      repeat(1'000, [](int i) { return fmt::format("  s{}: {{image: x, depends_on: [s{}]}}\n", i, i + 1); });
  CHECK(refusal(ProjectInMemory("services:\n" + depends + "  s1000: {image: x}\n")) == "");
  CHECK(says(refusal(ProjectInMemory("services:\n" + depends + "  s1000: {image: x, depends_on: [s0]}\n")),
             "s0 -> s1"));
}
