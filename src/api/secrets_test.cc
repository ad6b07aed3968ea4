#include "api/world_test.h"
#include "base/seal.h"

using namespace holdall;
using namespace holdall::api;

namespace {

const AppName kShop{"shop"};

/// A file with one value, sealed to the server of `world` and to `other`.
SealedFile sealed(World& world, const PrivateKey& other) {
  SealedFile file("secrets.sealed");
  file.set_recipient({"server", world.keys.ensure(kShop)});
  file.set_recipient({"recovery", other.public_key()});
  file.seal(kShop, "A", Secret("hunter2"));
  return file;
}

Json body_of(const SealedFile& file, bool rotate = false) {
  return Json::object({{"file", "secrets.sealed"}, {"sealed", file.print()}, {"rotate", rotate}});
}

SealedFile answered(const net::ClientResponse& response) {
  REQUIRE_MESSAGE(response.status == 200, response.body);
  return SealedFile::parse(Json::parse(response.body).at("sealed").string(), "secrets.sealed");
}

}  // namespace

TEST_CASE("a key is made once, for an app that need not be there, and only its public half is told") {
  World world;
  CHECK(world.get("/v1/apps/shop/keys").at("public_keys").items().empty());
  net::ClientResponse made = world.call("POST", "/v1/apps/shop/keys", Json::object());
  std::string key = Json::parse(made.body).at("public_key").string();
  CHECK(world.call("POST", "/v1/apps/shop/keys", Json::object()).body == made.body);
  CHECK(world.get("/v1/apps/shop/keys").at("public_keys").items() == Json::Array{key});
  Secret text = world.keys.keys(kShop).at(0).text();
  CHECK(made.body.find(text.view().substr(20)) == std::string::npos);
  CHECK(world.call("POST", "/v1/apps/..%2Fshop/keys", Json::object()).status == 400);
}

TEST_CASE("the server says which values it can open") {
  World world;
  PrivateKey recovery = PrivateKey::generate();
  SealedFile file = sealed(world, recovery);
  file.seal(AppName{"other"}, "B", Secret("x"));
  net::ClientResponse checked = world.call("POST", "/v1/apps/shop/sealed/check", body_of(file));
  CHECK(Json::parse(checked.body).at("openable").items() == Json::Array{"A"});
  CHECK(world.call("POST", "/v1/apps/shop/sealed/check", Json::object({{"sealed", "A=hunter2"}})).status ==
        400);
}

TEST_CASE("a recipient that was added opens what the server has sealed anew") {
  World world;
  PrivateKey recovery = PrivateKey::generate();
  SealedFile file = sealed(world, recovery);
  std::vector<PrivateKey> alice;
  alice.push_back(PrivateKey::generate());
  file.set_recipient({"alice", alice[0].public_key()});
  net::ClientResponse response = world.call("POST", "/v1/apps/shop/sealed/reseal", body_of(file));
  CHECK(answered(response).open(kShop, alice).at("A").view() == "hunter2");
  CHECK(response.body.find("hunter2") == std::string::npos);
  CHECK(world.keys.keys(kShop).size() == 1);
}

TEST_CASE("a rotation makes a new key, and the old one stays for the releases that need it") {
  World world;
  PrivateKey recovery = PrivateKey::generate();
  SealedFile file = sealed(world, recovery);
  SealedFile rotated = answered(world.call("POST", "/v1/apps/shop/sealed/reseal", body_of(file, true)));
  auto keys = world.keys.keys(kShop);
  REQUIRE(keys.size() == 2);
  CHECK(rotated.recipient("server") == keys[0].public_key());
  CHECK(rotated.recipient("recovery") == recovery.public_key());
  CHECK(rotated.open(kShop, std::span(keys.data(), 1)).at("A").view() == "hunter2");
  CHECK(file.open(kShop, keys).size() == 1);
}

TEST_CASE("no key is made for values that do not open") {
  World world;
  PrivateKey recovery = PrivateKey::generate();
  SealedFile file = sealed(world, recovery);
  file.seal(AppName{"other"}, "B", Secret("x"));
  CHECK(world.call("POST", "/v1/apps/shop/sealed/reseal", body_of(file, true)).status == 400);
  SealedFile theirs("secrets.sealed");
  theirs.set_recipient({"recovery", recovery.public_key()});
  theirs.seal(kShop, "A", Secret("x"));
  CHECK(world.call("POST", "/v1/apps/shop/sealed/reseal", body_of(theirs, true)).status == 403);
  CHECK(world.call("POST", "/v1/apps/shop/sealed/reseal", body_of(theirs)).status == 403);
  CHECK(world.keys.keys(kShop).size() == 1);
}
