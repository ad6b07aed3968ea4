#include "supervise/rows.h"

#include "base/error.h"

namespace holdall::supervise {
namespace {

std::int64_t column(Instant instant) { return instant.time_since_epoch().count(); }
Instant instant(std::int64_t column) { return Instant(std::chrono::nanoseconds(column)); }

Health parse_health(const std::string& text) {
  for (Health health :
       {Health::starting, Health::ready, Health::unready, Health::waiting, Health::completed}) {
    if (name(health) == text) return health;
  }
  return Health::failed;
}

Try read_try(const store::Row& row) {
  Try read;
  read.id = InstanceId{row.text(1)};
  read.slot = static_cast<int>(row.integer(2));
  read.port = static_cast<std::uint16_t>(row.integer(3));
  read.restarts = static_cast<int>(row.integer(4));
  read.streak = static_cast<int>(row.integer(5));
  read.state = parse_health(row.text(6));
  read.since = instant(row.integer(7));
  if (!row.is_null(8)) read.restart_at = instant(row.integer(8));
  if (!row.is_null(9)) {
    read.exit = Exit{.code = static_cast<int>(row.integer(9)), .signal = static_cast<int>(row.integer(10))};
  }
  read.reason = row.text(11);
  read.this_boot = row.text(12) == boot_id();
  read.made_at = instant(row.integer(13));
  read.place = static_cast<Place>(row.integer(14));
  return read;
}

}  // namespace

std::vector<GroupRow> load_groups(store::Database& database) {
  std::vector<GroupRow> groups;
  database.read([&](store::Transaction& transaction) {
    transaction.query("select body, wanted, closely from groups order by id", {}, [&](const store::Row& row) {
      groups.push_back({parse_group(Json::parse(row.text(0))), row.integer(1) != 0, row.integer(2) != 0, {}});
    });
    auto group = groups.begin();
    transaction.query(
        "select group_id, id, slot, port, restarts, streak, state, since, restart_at, exit_code, "
        "exit_signal, reason, "
        "boot_id, made_at, place from instances order by group_id, slot, place",
        {}, [&](const store::Row& row) {
          // Both answers are in order of the group, and each instance has one.
          while (group->group.id.value != row.text(0)) ++group;
          group->tries.push_back(read_try(row));
        });
  });
  return groups;
}

void insert_group(store::Transaction& transaction, const GroupRow& row, const Clock& clock) {
  const Group& group = row.group;
  transaction.execute(
      "insert into groups (id, app_id, body, wanted, closely, made_at) values (?, ?, ?, 1, 1, ?)",
      {group.id.value, group.workload.app, to_json(group).print(), nanoseconds(clock.wall())});
  for (const Try& each : row.tries) put_try(transaction, group, each);
}

void resize_group(store::Transaction& transaction, const Group& group, const std::vector<Try>& fresh) {
  transaction.execute("update groups set body = ? where id = ?", {to_json(group).print(), group.id.value});
  transaction.execute("delete from instances where group_id = ? and slot > ?",
                      {group.id.value, std::int64_t{group.replicas}});
  for (const Try& each : fresh) put_try(transaction, group, each);
}

void set_unwanted(store::Transaction& transaction, const GroupId& group) {
  transaction.execute("update groups set wanted = 0 where id = ?", {group.value});
}

void set_closely(store::Transaction& transaction, const GroupId& group, bool closely) {
  transaction.execute("update groups set closely = ? where id = ?", {std::int64_t{closely}, group.value});
}

void delete_group(store::Transaction& transaction, const GroupId& group) {
  transaction.execute("delete from groups where id = ?", {group.value});
}

void clear_place(store::Transaction& transaction, const GroupId& group, int slot, Place place) {
  transaction.execute("delete from instances where group_id = ? and slot = ? and place = ?",
                      {group.value, std::int64_t{slot}, static_cast<std::int64_t>(place)});
}

void put_try(store::Transaction& transaction, const Group& group, const Try& row) {
  using store::Value;
  Value none;
  transaction.execute(
      "insert into instances (id, app_id, group_id, slot, port, restarts, streak, state, since, restart_at, "
      "exit_code, "
      "exit_signal, reason, boot_id, made_at, place) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?)",
      {row.id.value, group.workload.app, group.id.value, std::int64_t{row.slot}, std::int64_t{row.port},
       std::int64_t{row.restarts}, std::int64_t{row.streak}, std::string(name(row.state)), column(row.since),
       row.restart_at ? Value(column(*row.restart_at)) : none,
       row.exit ? Value(std::int64_t{row.exit->code}) : none,
       row.exit ? Value(std::int64_t{row.exit->signal}) : none, row.reason, boot_id(), column(row.made_at),
       static_cast<std::int64_t>(row.place)});
}

}  // namespace holdall::supervise
