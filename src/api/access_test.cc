#include "api/access.h"

#include <algorithm>

#include "api/world_test.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/fake.h"
#include "base/files.h"
#include "schema/schema.h"

using namespace holdall;
using namespace holdall::api;

namespace {

constexpr auto kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqgMOaN8/6WaBXOLSmLHjYcSuU2zNLXTRWKnpXOC6W5";

/// The rules over some people, without a server.
struct House {
  explicit House(std::string group = "no-such-group") {
    database->migrate(schema());
    people = std::make_unique<People>(*database, SshDoor{});
    access = std::make_unique<Access>(1000, std::move(group), *people, clock);
  }

  void token(const std::string& name, Right role, std::vector<std::string> apps = {},
             std::optional<WallTime> expires = std::nullopt) {
    people->add({.name = name,
                 .role = role,
                 .apps = std::move(apps),
                 .keys = {},
                 .token = sha256("token of " + name).value,
                 .expires = expires,
                 .created = clock.wall(),
                 .created_by = "a test"});
  }

  Caller local(unsigned uid, unsigned gid) {
    net::Request request;
    request.peer = {.uid = uid, .gid = gid, .pid = 1};
    return access->caller(request);
  }

  Caller bearer(const std::string& token) {
    net::Request request;
    request.listener = kTlsListener;
    request.remote = "203.0.113.9";
    request.peer.uid = 0;  // nobody looks at it
    if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
    return access->caller(request);
  }

  Caller introduced(const std::string& name) {
    net::Request request;
    request.listener = kPeopleListener;
    request.introduced = name;
    request.peer.uid = 0;
    return access->caller(request);
  }

  FakeClock clock;
  std::unique_ptr<store::Database> database = store::open_sqlite(":memory:");
  std::unique_ptr<People> people;
  std::unique_ptr<Access> access;
};

std::string denial(const Caller& caller, Right right, Scope scope, std::string_view app = "") {
  try {
    caller.check(right, scope, app);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::denied);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE(
    "on the local socket root, the owner and members of the group may do everything; a stranger nothing") {
  House house("daemon");  // gid 1 on every Debian
  CHECK(denial(house.local(0, 0), Right::admin, Scope::server).empty());
  CHECK(denial(house.local(1000, 1000), Right::admin, Scope::server).empty());
  CHECK(denial(house.local(1001, 1), Right::admin, Scope::server).empty());
  CHECK(denial(house.local(1001, 1001), Right::read, Scope::any).find("may not use this server") !=
        std::string::npos);
}

TEST_CASE("a role holds those before it and none after it") {
  House house;
  house.token("ci", Right::deploy);
  Caller ci = house.bearer("token of ci");
  for (Right right : {Right::read, Right::run, Right::deploy})
    CHECK(denial(ci, right, Scope::app, "shop").empty());
  CHECK(denial(ci, Right::admin, Scope::app, "shop")
            .starts_with("ci has the role deploy, and this needs admin"));
}

TEST_CASE("who has some apps has neither the others nor the server") {
  House house;
  house.token("ci", Right::admin, {"shop"});
  Caller ci = house.bearer("token of ci");
  CHECK(denial(ci, Right::admin, Scope::app, "shop").empty());
  CHECK(denial(ci, Right::read, Scope::any).empty());
  CHECK(denial(ci, Right::read, Scope::app, "store") == "ci may use shop only, not store");
  CHECK_FALSE(denial(ci, Right::read, Scope::app, "shop-staging").empty());
  CHECK_FALSE(denial(ci, Right::read, Scope::app, "").empty());
  CHECK_FALSE(denial(ci, Right::read, Scope::server).empty());
}

TEST_CASE("without a token, with another's shape of one, or with an old one there is nobody") {
  House house;
  house.token("ci", Right::admin, {}, house.clock.wall() + std::chrono::hours(1));
  CHECK(house.bearer("").role == std::nullopt);
  CHECK(house.bearer("").name == "nobody (203.0.113.9)");
  CHECK(house.bearer("token of CI").role == std::nullopt);
  CHECK(house.bearer(sha256("token of ci").value).role ==
        std::nullopt);  // what a copy of the rows would tell
  CHECK(house.bearer("token of ci").role == Right::admin);
  house.clock.advance(std::chrono::hours(1));
  CHECK(house.bearer("token of ci").role == std::nullopt);
  CHECK(house.bearer("token of ci").name == "ci");
}

TEST_CASE("an introduction opens only for who has a key; a token's owner has none") {
  House house;
  house.token("ci", Right::admin);
  CHECK(house.introduced("ci").role == std::nullopt);
  CHECK(house.introduced("").role == std::nullopt);
  CHECK(house.introduced("root").role == std::nullopt);
}

TEST_CASE("a person's keys become lines that run one command and allow nothing else") {
  TemporaryDirectory place;
  House house;
  SshDoor door{place.path / "authorized_keys", "/run/holdall/people.sock", "/usr/local/bin/holdall"};
  People people(*house.database, door);
  Person alice{
      .name = "alice", .role = Right::read, .apps = {"shop"}, .keys = {kKey}, .created_by = "a test"};
  CHECK(people.add(alice));
  CHECK(read_file(door.authorized_keys)
            .ends_with(std::string("restrict,command=\"/usr/local/bin/holdall stdio --as alice -H "
                                   "unix:///run/holdall/people.sock\" ") +
                       kKey + " alice\n"));
  CHECK_FALSE(people.add(alice));  // as it is
  alice.role = Right::admin;
  CHECK_THROWS_AS(people.add(alice), Error);
  alice.name = "eve";
  CHECK_THROWS_WITH_AS(people.add(alice), doctest::Contains("is alice's"), Error);
  people.remove("alice");
  CHECK(read_file(door.authorized_keys).find("alice") == std::string::npos);
  CHECK_THROWS_AS(people.remove("alice"), Error);
}

TEST_CASE("sshd's file is made anew from the rows when control begins") {
  TemporaryDirectory place;
  House house;
  SshDoor door{place.path / "authorized_keys", "/run/holdall/people.sock", "/usr/local/bin/holdall"};
  write_file_atomic(door.authorized_keys, "ssh-ed25519 AAAA somebody\n");
  People people(*house.database, door);
  CHECK(read_file(door.authorized_keys).find("somebody") == std::string::npos);
}

TEST_CASE("a server without a user for ssh says how it gets one") {
  House house;
  CHECK_THROWS_WITH_AS(house.people->add({.name = "alice", .keys = {kKey}, .created_by = "a test"}),
                       doctest::Contains("holdall setup --here"), Error);
}
