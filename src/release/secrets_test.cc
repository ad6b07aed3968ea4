#include <stdlib.h>

#include "base/error.h"
#include "base/seal.h"
#include "release/house_test.h"

using namespace holdall;
using namespace holdall::release;

namespace {

const AppName kHello{"hello"};

/// A house with private keys, and what is sealed to them.
struct SealedHouse : House {
  std::filesystem::path place = [] {
    std::string pattern = "/tmp/holdall-release-XXXXXX";
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  KeyDirectory keys{place / "keys"};

  SealedHouse() {
    options.keys = place / "keys";
    restart();
  }
  ~SealedHouse() { std::filesystem::remove_all(place); }

  SealedFile sealed(const std::map<std::string, std::string>& values) {
    SealedFile file("secrets.sealed");
    file.set_recipient({"server", keys.ensure(kHello)});
    for (const auto& [name, value] : values) file.seal(kHello, name, Secret(value));
    return file;
  }

  /// web has DB_PASSWORD in a variable, robot API_KEY in a file.
  Request both(const std::map<std::string, std::string>& values) {
    Request wanted = request(
        R"("web": {"command": ["serve"], "environment": {"URL": "x:${DB_PASSWORD}@h"},
                   "deploy": {"update_config": {"monitor": "0s"}}},
           "robot": {"command": ["robot"], "deploy": {"update_config": {"monitor": "0s"}}, "secrets": [{"source": "key", "target": "/run/secrets/key"}]})");
    wanted.model["secrets"] = Json::parse(R"({"key": {"environment": "API_KEY"}})");
    wanted.places["services.web.environment.URL"] = "compose.yaml:7";
    wanted.sealed = sealed(values).print();
    return wanted;
  }

  std::string refusal(const Request& wanted, Error::Kind kind) {
    try {
      releases->deploy(wanted);
      return "";
    } catch (const Error& error) {
      CHECK(error.kind() == kind);
      CHECK(std::string(error.what()).find("hunter2") == std::string::npos);
      return error.what();
    }
  }
};

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const char* const kPlain = R"("web": {"command": ["a"], "deploy": {"update_config": {"monitor": "0s"}}})";

const std::map<std::string, std::string> kValues{{"DB_PASSWORD", "hunter2"}, {"API_KEY", "k1"}};

}  // namespace

TEST_CASE("groups, rows and events hold the names of secrets and never a value") {
  SealedHouse house;
  const Release release = house.run(house.both(kValues));
  CHECK(release.step == Step::live);
  const auto wanted = house.supervisor.wanted();
  REQUIRE(wanted.size() == 2);
  CHECK(wanted[0].workload.secret_files == std::vector<engine::SecretFile>{{"API_KEY", "key", 0400}});
  CHECK(wanted[1].workload.secret_environment ==
        std::map<std::string, std::string>{{"URL", "x:${DB_PASSWORD}@h"}});
  CHECK(supervise::parse_group(supervise::to_json(wanted[0])) == wanted[0]);
  CHECK(supervise::parse_group(supervise::to_json(wanted[1])) == wanted[1]);
  for (const char* table : {"select request from releases", "select data from release_events"}) {
    house.database->read([&](store::Transaction& t) {
      t.query(table, {}, [](const store::Row& row) { CHECK_FALSE(holds(row.text(0), "hunter2")); });
    });
  }
}

TEST_CASE("what an instance sees is opened out of the release that started it, and only what it names") {
  SealedHouse house;
  house.run(house.both(kValues));
  house.run(house.both({{"DB_PASSWORD", "changed"}, {"API_KEY", "k1"}}));
  auto source = make_secret_source(*house.database, house.options.keys);
  CHECK(source->open({"hello/web@v1"}, {"DB_PASSWORD"}).at("DB_PASSWORD").view() == "hunter2");
  auto opened = source->open({"hello/web@v2"}, {"DB_PASSWORD"});
  CHECK(opened.size() == 1);
  CHECK(opened.at("DB_PASSWORD").view() == "changed");
  CHECK_THROWS_AS(source->open({"hello/web@v9"}, {"DB_PASSWORD"}), Error);
}

TEST_CASE("one bad value, another key or a name that is not sealed refuses the whole release") {
  SealedHouse house;
  house.run(house.both(kValues));
  Request wanted = house.both({{"OTHER", "x"}});
  const std::string missing = house.refusal(wanted, Error::invalid);
  CHECK(holds(missing,
              "compose.yaml:7: services.web: DB_PASSWORD is not sealed\n  holdall secrets seal DB_PASSWORD"));
  CHECK(holds(missing, "services.robot: API_KEY is not sealed"));

  wanted = house.both(kValues);
  const std::size_t value = wanted.sealed.find("DB_PASSWORD ") + 60;
  wanted.sealed[value] = wanted.sealed[value] == 'A' ? 'B' : 'A';
  CHECK(holds(house.refusal(wanted, Error::invalid), "DB_PASSWORD"));

  wanted = house.both(kValues);
  std::filesystem::rename(house.place / "keys", house.place / "away");
  CHECK_FALSE(house.refusal(wanted, Error::denied).empty());
  CHECK_THROWS_AS(house.releases->plan(wanted), Error);
  std::filesystem::rename(house.place / "away", house.place / "keys");

  CHECK(house.releases->list("hello").size() == 1);
  CHECK(house.wanted() == Strings{"hello/robot@v1", "hello/web@v1"});
}

TEST_CASE("a service is replaced when a value that it sees changed, and not when it was only sealed again") {
  SealedHouse house;
  house.run(house.both(kValues));
  CHECK_FALSE(house.releases->deploy(house.both(kValues)).has_value());
  const Request changed = house.both({{"DB_PASSWORD", "other"}, {"API_KEY", "k1"}, {"UNUSED", "x"}});
  const Plan plan = house.releases->plan(changed);
  REQUIRE(plan.changes.size() == 2);
  CHECK(to_json(plan).at("secrets").print() == R"({"API_KEY":["robot"],"DB_PASSWORD":["web"],"UNUSED":[]})");
  for (const Change& change : plan.changes) {
    if (change.service == "robot") CHECK(change.kind == Change::keep);
    if (change.service == "web") CHECK(change.why == Strings{"secret DB_PASSWORD changed"});
  }
  CHECK(house.run(changed).step == Step::live);
  CHECK(house.wanted() == Strings{"hello/robot@v1", "hello/web@v2"});
}

TEST_CASE("a rollback brings the secrets of its release back") {
  SealedHouse house;
  house.run(house.both(kValues));
  house.run(house.both({{"DB_PASSWORD", "other"}, {"API_KEY", "k1"}}));
  house.finish(house.releases->rollback("hello", 1, "uid 0 (root)").number);
  auto source = make_secret_source(*house.database, house.options.keys);
  CHECK(house.wanted() == Strings{"hello/robot@v1", "hello/web@v3"});
  CHECK(source->open({"hello/web@v3"}, {"DB_PASSWORD"}).at("DB_PASSWORD").view() == "hunter2");
}

TEST_CASE("where services share a user, one with secrets is refused") {
  SealedHouse house;
  house.options.secrets = false;
  house.restart();
  CHECK(holds(house.refusal(house.both(kValues), Error::denied), "--shared-uid"));
  CHECK(house.run(house.web("grey")).step == Step::live);
}

TEST_CASE("each service has a user of its own, which nobody else ever gets") {
  SealedHouse house;
  house.options.uids = UidRange{300'001, 300'003};
  house.restart();
  house.run(house.both(kValues));
  std::map<std::string, std::uint32_t> uids;
  for (const supervise::Group& group : house.supervisor.wanted())
    uids[group.workload.service] = group.workload.uid;
  CHECK(uids.at("web") != uids.at("robot"));
  for (const auto& [service, uid] : uids) CHECK((uid >= 300'001 && uid <= 300'003));

  house.run(house.both({{"DB_PASSWORD", "other"}, {"API_KEY", "k2"}}));
  for (const supervise::Group& group : house.supervisor.wanted())
    CHECK(group.workload.uid == uids.at(group.workload.service));

  house.releases->destroy("hello", Deadline::after(std::chrono::seconds(20)));
  house.finish(house.deploy(house.request(kPlain, "other")), "other");
  const std::uint32_t last = house.supervisor.wanted().at(0).workload.uid;
  CHECK(last != uids.at("web"));
  CHECK(last != uids.at("robot"));
  CHECK_THROWS_WITH_AS(
      house.releases->deploy(house.request(kPlain, "third")),
      "every user from 300001 to 300003 was given to a service already; set HOLDALL_UIDS to a "
      "larger range",
      Error);
  CHECK(house.run(house.both(kValues)).step == Step::live);
  for (const supervise::Group& group : house.supervisor.wanted()) {
    if (group.workload.app == "hello") CHECK(group.workload.uid == uids.at(group.workload.service));
  }
}

TEST_CASE(
    "a private key stays as long as a kept release needs it, or an instance that was started by an older "
    "one") {
  SealedHouse house;
  const PublicKey first = house.keys.ensure(kHello);
  house.run(house.both({{"DB_PASSWORD", "hunter2"}, {"API_KEY", "k"}}));
  const PublicKey second = house.keys.make(kHello);
  // Sealed to the second key from now on; robot, whose secret is as it was, stays the first release's.
  for (int i = 0; i < 10; ++i) {
    house.run(house.both({{"DB_PASSWORD", "hunter2 " + std::to_string(i)}, {"API_KEY", "k"}}));
  }
  CHECK(house.keys.keys(kHello).size() == 2);
  house.run(house.both({{"DB_PASSWORD", "hunter2"}, {"API_KEY", "other"}}));
  CHECK(house.keys.keys(kHello).size() == 2);  // the tenth last release keeps robot@v1
  for (int i = 0; i < 10; ++i) {
    house.run(house.both({{"DB_PASSWORD", "hunter2 " + std::to_string(i)}, {"API_KEY", "other"}}));
  }
  REQUIRE(house.keys.keys(kHello).size() == 1);
  CHECK(house.keys.keys(kHello)[0].public_key() == second);
  CHECK(second != first);
}
