#include "app/keys.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include <fmt/format.h>

#include "app/schema.h"
#include "base/fake.h"
#include "base/files.h"

using namespace holdall;
using namespace holdall::app;

namespace {

std::string table() {
  std::string out = "| key | | |\n|---|---|---|\n";
  for (const Key& key : keys()) {
    std::string_view support = key.support == Support::honoured    ? "honoured"
                               : key.support == Support::different ? "different"
                                                                   : "refused";
    std::string_view stop = key.remedy.empty() ? "" : ". Remedy: ";
    out += fmt::format("| `{}` | {} | {}{}{} |\n", key.path, support, key.note, stop, key.remedy);
  }
  return out;
}

}  // namespace

// HOLDALL_ACCEPT=1 writes the table anew.
TEST_CASE("docs/compose.md says of every key what the table of keys says") {
  auto path = in_checkout("docs/compose.md");
  std::string page = read_file(path);
  std::size_t begin = page.find("| key | | |\n");
  if (std::getenv("HOLDALL_ACCEPT")) write_file_atomic(path, page.substr(0, begin) + table());
  REQUIRE(begin != std::string::npos);
  CHECK(page.substr(begin) == table());
}

TEST_CASE(
    "every row says what its support owes: a difference its note, a refusal its reason and its remedy") {
  std::set<std::string_view> seen;
  for (const Key& key : keys()) {
    INFO(std::string(key.path));
    CHECK(seen.insert(key.path).second);
    CHECK(key.note.empty() == (key.support == Support::honoured));
    CHECK(key.remedy.empty() == (key.support != Support::refused));
  }
}

TEST_CASE("every key of the schema has a word on what becomes of it, and no other key has") {
  // What is said of a key holds for all below it that nothing else is said of.
  auto is_said = [](std::string_view path) {
    while (!find_key(path)) {
      const std::size_t dot = path.rfind('.');
      if (dot == std::string_view::npos) return false;
      path = path.substr(0, dot);
    }
    return true;
  };
  std::set<std::string_view> known;
  for (const Shape& shape : shapes()) {
    known.insert(shape.path);
    CHECK_MESSAGE(is_said(shape.path), shape.path);
  }
  for (const Key& key : keys()) CHECK_MESSAGE(known.contains(key.path), key.path);
}
