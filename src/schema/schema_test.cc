#include "schema/schema.h"

#include <doctest/doctest.h>

using namespace holdall;

TEST_CASE("the migrations are numbered from 1 without a gap and apply to an empty database") {
  int expected = 1;
  for (const store::Migration& migration : schema()) CHECK(migration.number == expected++);
  CHECK(expected > 1);
  auto database = store::open_sqlite(":memory:");
  database->migrate(schema());
  database->write([](store::Transaction& t) {
    t.execute(
        "insert into groups (id, app_id, body, wanted, closely, made_at)"
        " values ('shop/web@v1', 'shop', '{}', 1, 0, 0)");
  });
}
