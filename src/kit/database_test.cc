#include "kit/database.h"

#include <doctest/doctest.h>

#include "base/fake.h"
#include "base/files.h"

namespace holdall::kit {
namespace {

void put(const TemporaryDirectory& place, const char* name, std::string_view sql) {
  write_file_atomic(place.path / name, sql);
}

}  // namespace

TEST_CASE("migrations are read from a directory in their order") {
  TemporaryDirectory place;
  put(place, "0002_texts.sql", "alter table notes add column text text");
  put(place, "0001_notes.sql", "create table notes (id integer)");
  put(place, "README.md", "not one of them");
  auto files = read_migrations(place.path);
  REQUIRE(files->rows.size() == 2);
  CHECK(files->rows[0].name == "notes");
  CHECK(files->rows[1].number == 2);
  auto database = store::open_sqlite(":memory:");
  database->migrate(files->rows);
  CHECK(database->version() == 2);
}

TEST_CASE("a directory of migrations with gaps, doubles and strange names is refused with all of them") {
  TemporaryDirectory place;
  put(place, "0001_a.sql", "");
  put(place, "01_b.sql", "");
  put(place, "0003_c.sql", "");
  put(place, "four.sql", "");
  put(place, "0000_zero.sql", "");
  try {
    read_migrations(place.path);
    FAIL("it was taken");
  } catch (const Error& error) {
    CHECK(error.kind() == Error::invalid);
    std::string said = error.what();
    for (const char* part : {"two migrations 1", "migration 2 is missing", "four.sql", "0000_zero.sql"}) {
      CHECK_MESSAGE(said.find(part) != std::string::npos, part);
    }
  }
  CHECK(kind_of([&] { read_migrations(place.path / "none"); }) == Error::missing);
}

}  // namespace holdall::kit
