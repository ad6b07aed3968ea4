#include "api/calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace holdall::api {
namespace {

// A year of a busy team, and what a morning's wrong script leaves; some megabytes together.
constexpr std::int64_t kMostChanges = 10'000, kMostDenials = 1'000;

// Paths come from outside, where anything may stand.
constexpr std::size_t kLongest = 300;

constexpr auto kOneASecond = std::chrono::seconds(1);

std::string bounded(const std::string& text) { return text.substr(0, kLongest); }

/// Ids go up by one, so that the oldest to keep is known without counting.
void forget_the_oldest(store::Transaction& t, bool denied, std::int64_t most) {
  t.execute(
      "delete from calls where denied = ?1 and id <= "
      "(select id from calls where denied = ?1 order by id desc limit 1 offset ?2)",
      {std::int64_t{denied}, most});
}

std::int64_t insert(store::Transaction& t, const Call& call, std::int64_t at) {
  t.execute(
      "insert into calls (at, who, method, path, app_id, status, denied, count, program) "
      "values (?, ?, ?, ?, ?, ?, ?, 1, ?)",
      {at, bounded(call.who), call.method, bounded(call.path), bounded(call.app),
       call.status ? store::Value(std::int64_t{*call.status}) : store::Value(), std::int64_t{call.denied},
       bounded(call.program)});
  std::int64_t id = 0;
  t.query("select last_insert_rowid()", {}, [&](const store::Row& row) { id = row.integer(0); });
  return id;
}

Call call(const store::Row& row) {
  Call out{.at = wall_time(row.integer(0)),
           .who = row.text(1),
           .method = row.text(2),
           .path = row.text(3),
           .app = row.text(4),
           .program = row.text(8),
           .status = std::nullopt,
           .denied = row.integer(6) != 0,
           .count = row.integer(7)};
  if (!row.is_null(5)) out.status = static_cast<int>(row.integer(5));
  return out;
}

}  // namespace

Json to_json(const Call& call) {
  return Json::object({{"time", rfc3339(call.at)},
                       {"who", call.who},
                       {"method", call.method},
                       {"path", call.path},
                       {"app", call.app},
                       {"program", call.program},
                       {"status", call.status ? Json(*call.status) : Json()},
                       {"denied", call.denied},
                       {"count", call.count}});
}

Calls::Calls(store::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

std::int64_t Calls::begin(const Call& call) {
  std::int64_t id = 0;
  database_.write([&](store::Transaction& t) {
    id = insert(t, call, nanoseconds(clock_.wall()));
    forget_the_oldest(t, false, kMostChanges);
  });
  return id;
}

void Calls::end(std::int64_t id, int status) {
  database_.write([&](store::Transaction& t) {
    bool denied = status == http_status(Error::denied);
    t.execute("update calls set status = ?, denied = ? where id = ?",
              {std::int64_t{status}, std::int64_t{denied}, id});
  });
}

void Calls::denied(const Call& call, bool unknown) {
  if (unknown) {
    auto last = last_unknown_.lock();
    if (*last != Instant() && clock_.now() < *last + kOneASecond) return;
    *last = clock_.now();
  }
  database_.write([&](store::Transaction& t) {
    std::int64_t at = nanoseconds(clock_.wall());
    std::int64_t again = t.execute(
        "update calls set count = count + 1, at = ? where id = "
        "(select id from calls where denied = 1 order by id desc limit 1) "
        "and who = ? and method = ? and path = ? and app_id = ?",
        {at, bounded(call.who), call.method, bounded(call.path), bounded(call.app)});
    if (again) return;
    insert(t, call, at);
    forget_the_oldest(t, true, kMostDenials);
  });
}

std::vector<Call> Calls::list(const std::vector<std::string>& apps, std::size_t most) const {
  std::vector<Call> calls;
  std::string where;
  std::vector<store::Value> parameters;
  for (const std::string& app : apps) {
    where += where.empty() ? " where app_id in (?" : ", ?";
    parameters.emplace_back(app);
  }
  if (!where.empty()) where += ")";
  parameters.emplace_back(static_cast<std::int64_t>(most));
  std::string sql = fmt::format(
      "select at, who, method, path, app_id, status, denied, count, program from calls{} order by id desc "
      "limit ?",
      where);
  database_.read([&](store::Transaction& t) {
    t.query(sql, parameters, [&](const store::Row& row) { calls.push_back(call(row)); });
  });
  return calls;
}

}  // namespace holdall::api
