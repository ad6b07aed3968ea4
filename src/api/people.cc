#include "api/people.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "api/ssh_key.h"
#include "base/error.h"
#include "base/files.h"
#include "base/log.h"

namespace holdall::api {
namespace {

constexpr std::array<std::string_view, 4> kRights{"read", "run", "deploy", "admin"};

Json array(const std::vector<std::string>& texts) {
  Json all = Json::array();
  for (const std::string& one : texts) all.add(one);
  return all;
}

std::vector<std::string> texts(const std::string& json) {
  std::vector<std::string> all;
  const Json parsed = Json::parse(json);
  for (const Json& one : parsed.items()) all.push_back(one.string());
  return all;
}

store::Value or_null(const std::string& text) { return text.empty() ? store::Value() : store::Value(text); }

store::Value or_null(const std::optional<WallTime>& time) {
  return time ? store::Value(nanoseconds(*time)) : store::Value();
}

Person person(const store::Row& row) {
  Person out{.name = row.text(0),
             .role = parse_right(row.text(1)),
             .apps = texts(row.text(2)),
             .keys = texts(row.text(3)),
             .token = row.text(4),
             .created = wall_time(row.integer(6)),
             .created_by = row.text(7)};
  if (!row.is_null(5)) out.expires = wall_time(row.integer(5));
  return out;
}

/// Words that sshd's file and the shell that it starts take as they are.
void check_plain(const std::filesystem::path& path) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
  if (path.string().find_first_not_of(kPlain) == std::string::npos) return;
  throw Error(Error::invalid, fmt::format("{} cannot stand in authorized_keys: its name has other characters "
                                          "than letters, digits and /._-",
                                          path.string()));
}

bool same_access(const Person& one, const Person& other) {
  return one.role == other.role && one.apps == other.apps && one.keys == other.keys && one.token.empty() &&
         other.token.empty();
}

}  // namespace

std::string_view name(Right right) { return kRights.at(static_cast<std::size_t>(right)); }

Right parse_right(std::string_view name) {
  auto found = std::ranges::find(kRights, name);
  if (found != kRights.end()) return static_cast<Right>(found - kRights.begin());
  throw Error(Error::invalid, fmt::format("'{}' is no role; there are: {}", name, fmt::join(kRights, ", ")));
}

Json to_json(const Person& person) {
  Json keys = Json::array();
  for (const std::string& key : person.keys) keys.add(fingerprint(key));
  return Json::object({{"name", person.name},
                       {"role", name(person.role)},
                       {"apps", array(person.apps)},
                       {"keys", keys},
                       {"token", !person.token.empty()},
                       {"expires", person.expires ? Json(rfc3339(*person.expires)) : Json()},
                       {"created", rfc3339(person.created)},
                       {"by", person.created_by}});
}

std::string authorized_keys(const People::All& people, const SshDoor& door) {
  check_plain(door.program);
  check_plain(door.socket);
  std::string text = "# Made by holdall from `holdall access`; changes here are lost.\n";
  for (const Person& person : people) {
    for (const std::string& key : person.keys) {
      fmt::format_to(std::back_inserter(text), "restrict,command=\"{} stdio --as {} -H unix://{}\" {} {}\n",
                     door.program.string(), person.name, door.socket.string(), key, person.name);
    }
  }
  return text;
}

People::People(store::Database& database, SshDoor door) : database_(database), door_(std::move(door)) {
  load();
  try {
    publish();
  } catch (const Error& error) {
    // The server is worth more than who may log in; each call is checked against the rows all the same.
    log::error("access.authorized_keys", error.what());
  }
}

std::shared_ptr<const People::All> People::all() const { return *all_.lock(); }

bool People::add(const Person& person) {
  std::lock_guard one_at_a_time(changing_);
  if (!person.keys.empty() && door_.authorized_keys.empty()) {
    throw Error(Error::invalid,
                "nobody can log in to this server for holdall yet: sudo holdall setup --here makes the user "
                "that people reach by ssh");
  }
  for (const Person& other : *all()) {
    if (other.name == person.name) {
      if (same_access(other, person)) return false;
      throw Error(
          Error::conflict,
          fmt::format("{0} has access already, with the role {1}; to change it: holdall access remove {0}, "
                      "then add",
                      other.name, name(other.role)));
    }
    for (const std::string& key : person.keys) {
      if (std::ranges::find(other.keys, key) == other.keys.end()) continue;
      throw Error(Error::conflict, fmt::format("the key {} is {}'s", fingerprint(key), other.name));
    }
  }
  database_.write([&](store::Transaction& t) {
    t.execute(
        "insert into people (name, role, apps, keys, token, expires_at, created_at, created_by) "
        "values (?, ?, ?, ?, ?, ?, ?, ?)",
        {person.name, std::string(name(person.role)), array(person.apps).print(), array(person.keys).print(),
         or_null(person.token), or_null(person.expires), nanoseconds(person.created), person.created_by});
  });
  load();
  publish();
  return true;
}

void People::remove(const std::string& name) {
  std::lock_guard one_at_a_time(changing_);
  std::int64_t removed = 0;
  database_.write(
      [&](store::Transaction& t) { removed = t.execute("delete from people where name = ?", {name}); });
  if (!removed)
    throw Error(Error::missing, fmt::format("nobody named {} has access; see: holdall access list", name));
  load();
  publish();
}

void People::load() {
  auto people = std::make_shared<All>();
  database_.read([&](store::Transaction& t) {
    t.query(
        "select name, role, apps, keys, token, expires_at, created_at, created_by from people order by name",
        {}, [&](const store::Row& row) { people->push_back(person(row)); });
  });
  *all_.lock() = std::move(people);
}

void People::publish() {
  if (door_.authorized_keys.empty()) return;
  write_file_atomic(door_.authorized_keys, authorized_keys(*all(), door_));
}

}  // namespace holdall::api
