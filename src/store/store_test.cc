#include "store/store.h"
#include "base/fake.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <latch>
#include <thread>

using namespace holdall;
using namespace holdall::store;

namespace {

struct Directory : TemporaryDirectory {
  std::string file() const { return path / "state.db"; }
};

constexpr Migration kFirst[] = {
    {1, "things", "create table things (name text primary key, size integer) strict;"}};
constexpr Migration kSecond[] = {
    kFirst[0], {2, "colours", "alter table things add colour text; create table more (n);"}};

std::unique_ptr<Database> with_things(const std::string& path = ":memory:") {
  auto database = open_sqlite(path);
  database->migrate(kFirst);
  return database;
}

void add(Database& database, const std::string& name, std::int64_t size) {
  database.write([&](Transaction& t) { t.execute("insert into things values (?, ?)", {name, size}); });
}

std::int64_t count(Database& database) {
  std::int64_t rows = -1;
  database.read([&](Transaction& t) {
    t.query("select count(*) from things", {}, [&](const Row& row) { rows = row.integer(0); });
  });
  return rows;
}

}  // namespace

TEST_CASE("what a write returned from is there after the database was opened again") {
  Directory directory;
  add(*with_things(directory.file()), "bag", std::int64_t{1} << 60);
  auto again = with_things(directory.file());
  again->read([&](Transaction& t) {
    t.query("select name, size from things", {}, [](const Row& row) {
      CHECK(row.text(0) == "bag");
      CHECK(row.integer(1) == std::int64_t{1} << 60);
    });
  });
  CHECK(count(*again) == 1);
}

TEST_CASE("the file and its log are for their owner's eyes only") {
  Directory directory;
  auto database = with_things(directory.file());
  add(*database, "web", 1);
  using std::filesystem::perms;
  for (const char* suffix : {"", "-wal"}) {
    CHECK(std::filesystem::status(directory.file() + suffix).permissions() ==
          (perms::owner_read | perms::owner_write));
  }
}

TEST_CASE("an exception out of a write undoes it and passes on") {
  auto database = with_things();
  CHECK_THROWS_AS(database->write([](Transaction& t) {
    t.execute("insert into things values ('bag', 1)");
    throw std::out_of_range("enough");
  }),
                  std::out_of_range);
  CHECK(count(*database) == 0);
  add(*database, "bag", 1);
  CHECK(count(*database) == 1);
}

TEST_CASE("a broken constraint is a conflict, wrong SQL is our bug") {
  auto database = with_things();
  add(*database, "bag", 1);
  CHECK(kind_of([&] { add(*database, "bag", 2); }) == Error::conflict);
  CHECK(kind_of([&] {
          database->write([](Transaction& t) { t.execute("insert into nowhere values (1)"); });
        }) == Error::broken);
  CHECK(kind_of([&] { database->write([](Transaction& t) { t.execute("select ?"); }); }) == Error::broken);
}

TEST_CASE("foreign keys are held") {
  auto database = open_sqlite(":memory:");
  database->write([](Transaction& t) {
    t.execute("create table parents (id integer primary key)");
    t.execute("create table children (parent integer references parents (id))");
  });
  CHECK(kind_of([&] {
          database->write([](Transaction& t) { t.execute("insert into children values (7)"); });
        }) == Error::conflict);
}

TEST_CASE("null is null, and a column of another type is our bug that names it") {
  auto database = with_things();
  database->write(
      [](Transaction& t) { t.execute("insert into things values (?, ?)", {"bag", std::monostate()}); });
  database->read([](Transaction& t) {
    t.query("select name, size, 1.5 from things", {}, [](const Row& row) {
      CHECK_FALSE(row.is_null(0));
      CHECK(row.is_null(1));
      CHECK(row.text(1) == "");
      CHECK(row.real(2) == 1.5);
      CHECK_THROWS_WITH_AS(row.integer(0), "column name is not an integer", Error);
      CHECK_THROWS_WITH_AS(row.integer(1), "column size is not an integer", Error);
      CHECK_THROWS_AS(row.text(9), Error);
    });
  });
}

TEST_CASE("text keeps every byte") {
  auto database = with_things();
  std::string odd("a\0b \xc3\xa9", 6);
  add(*database, odd, 1);
  database->read([&](Transaction& t) {
    t.query("select name from things where name = ?", {odd},
            [&](const Row& row) { CHECK(row.text(0) == odd); });
  });
}

TEST_CASE("a query within a query of the same text sees all rows") {
  auto database = with_things();
  add(*database, "a", 1);
  add(*database, "b", 2);
  int pairs = 0;
  database->read([&](Transaction& t) {
    constexpr auto kAll = "select name from things";
    t.query(kAll, {}, [&](const Row&) { t.query(kAll, {}, [&](const Row&) { ++pairs; }); });
  });
  CHECK(pairs == 4);
}

TEST_CASE("a read may not change anything") {
  auto database = with_things();
  CHECK(kind_of([&] { database->read([](Transaction& t) { t.execute("delete from things"); }); }) ==
        Error::broken);
}

TEST_CASE("a second process finds the database busy, until the first is gone, however it ended") {
  Directory directory;
  auto database = with_things(directory.file());
  auto opens_elsewhere = [&] {
    pid_t child = fork();
    if (child == 0) {
      try {
        open_sqlite(directory.file());
        _exit(0);
      } catch (const Error& error) {
        _exit(error.kind() == Error::busy ? 75 : 1);
      }
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  CHECK(opens_elsewhere() == 75);
  database.reset();
  CHECK(opens_elsewhere() == 0);
}

TEST_CASE("many writers at once are all on the disk, and one that fails takes no other with it") {
  Directory directory;
  auto database = with_things(directory.file());
  constexpr int kWriters = 16, kEach = 20;
  std::latch together(kWriters);
  std::atomic<int> refused{0};
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        together.arrive_and_wait();
        for (int i = 0; i < kEach; ++i) {
          add(*database, std::to_string(writer) + "/" + std::to_string(i), i);
          try {
            database->write([&](Transaction& t) {
              t.execute("insert into things values (?, 0)", {"undone by " + std::to_string(writer)});
              throw Error(Error::failed, "on purpose");
            });
          } catch (const Error& error) {
            if (error.kind() == Error::failed) ++refused;
          }
        }
      });
    }
  }
  CHECK(refused == kWriters * kEach);
  CHECK(count(*database) == kWriters * kEach);
  database.reset();
  CHECK(count(*with_things(directory.file())) == kWriters * kEach);
}

TEST_CASE("a migration runs once, after the file was copied aside") {
  Directory directory;
  add(*with_things(directory.file()), "bag", 1);
  auto database = open_sqlite(directory.file());
  database->migrate(kSecond);
  database->migrate(kSecond);
  database->write([](Transaction& t) { t.execute("update things set colour = 'green'"); });
  auto copy = open_sqlite(directory.file() + ".before-2");
  CHECK(count(*copy) == 1);
  CHECK(kind_of([&] { copy->write([](Transaction& t) { t.execute("select colour from things"); }); }) ==
        Error::broken);
}

TEST_CASE("a new database is not copied") {
  Directory directory;
  open_sqlite(directory.file())->migrate(kSecond);
  for (const auto& entry : std::filesystem::directory_iterator(directory.path)) {
    CHECK(entry.path().string().find("before") == std::string::npos);
  }
}

TEST_CASE("a migration that fails changes nothing, and is named") {
  Directory directory;
  add(*with_things(directory.file()), "bag", 1);
  constexpr Migration kWrong[] = {kFirst[0], {2, "wrong", "create table half (n); create nonsense;"}};
  auto database = open_sqlite(directory.file());
  CHECK_THROWS_WITH_AS(database->migrate(kWrong), doctest::Contains("schema version 2 (wrong)"), Error);
  database->migrate(kSecond);
  CHECK(count(*database) == 1);
}

TEST_CASE("a newer schema is refused with its number") {
  Directory directory;
  open_sqlite(directory.file())->migrate(kSecond);
  auto database = open_sqlite(directory.file());
  CHECK_THROWS_WITH_AS(database->migrate(kFirst),
                       doctest::Contains("has schema version 2, this program knows 1"), Error);
  CHECK(kind_of([&] { database->migrate(kFirst); }) == Error::invalid);
}

TEST_CASE("a shared database has several users at once, and each read sees one state") {
  Directory directory;
  auto one = open_sqlite(directory.file(), Access::shared);
  auto other = open_sqlite(directory.file(), Access::shared);
  one->migrate(kFirst);
  add(*one, "a", 1);
  CHECK(count(*other) == 1);
  other->read([&](Transaction& t) {
    auto rows = [&] {
      std::int64_t n = 0;
      t.query("select count(*) from things", {}, [&](const Row& row) { n = row.integer(0); });
      return n;
    };
    CHECK(rows() == 1);
    add(*one, "b", 2);
    CHECK(rows() == 1);
  });
  CHECK(count(*other) == 2);
}

TEST_CASE("of several that migrate a shared database at once, one does it") {
  Directory directory;
  open_sqlite(directory.file(), Access::shared)->migrate(kFirst);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { open_sqlite(directory.file(), Access::shared)->migrate(kSecond); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(open_sqlite(directory.file(), Access::shared)->version() == 2);
  CHECK(open_sqlite(directory.file() + ".before-2", Access::shared)->version() == 1);
}

TEST_CASE("threads that write to a shared database wait for each other") {
  constexpr int kThreads = 4, kEach = 25;
  Directory directory;
  open_sqlite(directory.file(), Access::shared)->migrate(kFirst);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      auto database = open_sqlite(directory.file(), Access::shared);
      for (int j = 0; j < kEach; ++j) add(*database, std::to_string(i) + "." + std::to_string(j), j);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(count(*open_sqlite(directory.file(), Access::shared)) == kThreads * kEach);
}
