#include "kit/health.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <stdexcept>

#include "kit/database.h"

namespace holdall::kit {
namespace {

using namespace std::chrono_literals;

constexpr store::Migration kMigrations[] = {{1, "notes", "create table notes (id integer)"},
                                            {2, "texts", "alter table notes add column text text"}};

Json body(const net::Response& response) { return Json::parse(response.body); }
std::vector<Finding> well(Deadline) { return {}; }

/// A database that does not answer until it is let go.
class HungDatabase final : public store::Database {
 public:
  void write(const std::function<void(store::Transaction&)>&) override { hang(); }
  void read(const std::function<void(store::Transaction&)>&) override { hang(); }
  void migrate(std::span<const store::Migration>) override { hang(); }
  std::int64_t version() override {
    hang();
    return 0;
  }
  void let_go() { leave_.count_down(); }

 private:
  void hang() { leave_.wait(); }
  std::latch leave_{1};
};

}  // namespace

TEST_CASE("a service without checks is well") {
  Health health;
  CHECK(body(health.heartbeat()) == Json::parse(R"({"status":"ok","checks":{},"details":{}})"));
}

TEST_CASE("the worst finding is the status, and from error on the answer fails") {
  struct {
    Level level;
    const char* name;
    int status;
  } rows[] = {{Level::debug, "debug", 200},
              {Level::info, "info", 200},
              {Level::warning, "warning", 200},
              {Level::error, "error", 500},
              {Level::critical, "critical", 500}};
  for (auto [level, name, status] : rows) {
    Health health;
    health.add("a", well);
    health.add("b", [level](Deadline) {
      return std::vector<Finding>{{Level::debug, "x.D1", "a trifle"}, {level, "x.1", "it is so"}};
    });
    net::Response response = health.heartbeat();
    CHECK(response.status == status);
    CHECK(body(response).at("status").string() == name);
    CHECK(body(response).at("checks").at("a").string() == "ok");
    CHECK(body(response).at("details").find("a") == nullptr);
    CHECK(body(response).at("details").at("b").at("level").integer() == static_cast<int>(level));
    CHECK(body(response).at("details").at("b").at("messages").at("x.1").string() == "it is so");
  }
}

TEST_CASE("a check that throws is an error that says what was thrown") {
  Health health;
  health.add("a", [](Deadline) -> std::vector<Finding> { throw std::runtime_error("refused"); });
  health.add("b", [](Deadline) -> std::vector<Finding> { throw 7; });
  Json details = body(health.heartbeat()).at("details");
  CHECK(details.at("a").at("messages").at("holdall.health.E001").string() == "refused");
  CHECK(details.at("b").at("messages").at("holdall.health.E001").string() == "unknown exception");
}

TEST_CASE("checks run at the same time") {
  Health health;
  std::latch both(2);
  auto meet = [&](Deadline) {
    both.arrive_and_wait();
    return std::vector<Finding>();
  };
  health.add("a", meet, 10s);
  health.add("b", meet, 10s);
  CHECK(health.heartbeat().status == 200);
}

TEST_CASE(
    "a database that hangs fails its check in time, costs one thread however often it is asked, and is well "
    "again") {
  HungDatabase database;
  std::atomic<int> asked{0};
  Health health;
  health.add(
      "database",
      [&, check = database_check(database)](Deadline deadline) {
        ++asked;
        return check(deadline);
      },
      50ms);
  health.add("other", well);
  for (int i = 0; i < 20; ++i) {
    Json said = body(health.heartbeat());
    CHECK(said.at("checks") == Json::parse(R"({"database":"error","other":"ok"})"));
    CHECK(said.at("details").at("database").at("messages").at("holdall.health.E002").string() ==
          "no answer within 50 ms");
  }
  CHECK(asked == 1);
  database.let_go();
  for (Deadline end = Deadline::after(10s); health.heartbeat().status != 200;) REQUIRE_FALSE(end.passed());
}

TEST_CASE("a database tells of migrations that were not applied, and of those it does not know") {
  auto database = store::open_sqlite(":memory:");
  auto levels = [&](std::span<const store::Migration> migrations) {
    std::vector<Finding> found = database_check(*database, migrations)(Deadline::never());
    return found.empty() ? "" : found[0].id;
  };
  CHECK(levels(kMigrations) == "dockerflow.health.W001");
  CHECK(levels({}) == "");
  database->migrate(kMigrations);
  CHECK(levels(kMigrations) == "");
  CHECK(levels(std::span(kMigrations).first(1)) == "dockerflow.health.W002");
}

TEST_CASE("findings that are silenced are left out, and details can be") {
  Health health({.failed_status = 503, .silenced = {"x.E1"}, .details = false});
  bool worse = false;
  health.add("a", [&](Deadline) {
    std::vector<Finding> out{{Level::error, "x.E1", "known"}};
    if (worse) out.push_back({Level::critical, "x.E2", "news"});
    return out;
  });
  CHECK(body(health.heartbeat()) == Json::parse(R"({"status":"ok","checks":{"a":"ok"}})"));
  worse = true;
  net::Response response = health.heartbeat();
  CHECK(response.status == 503);
  CHECK(body(response) == Json::parse(R"({"status":"critical","checks":{"a":"critical"}})"));
}

}  // namespace holdall::kit
