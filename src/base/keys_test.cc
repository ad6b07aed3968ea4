#include "base/keys.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fake.h"
#include "base/files.h"
#include "base/refusal_test.h"

using namespace holdall;
namespace fs = std::filesystem;

namespace {

const AppName kShop{"shop"};

int mode_of(const fs::path& path) {
  struct stat status{};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("a key is read from its own text, and no error repeats a wrong one") {
  PrivateKey key = PrivateKey::generate();
  Secret text = key.text();
  CHECK(PrivateKey::parse(text.view()).public_key() == key.public_key());
  CHECK(PrivateKey::parse_base64(text.view().substr(20)).public_key() == key.public_key());
  CHECK(PublicKey::parse(key.public_key().text()) == key.public_key());
  for (std::string wrong : {"hunter2", "holdall-private-key-hunter2", "", "holdall-private-key-"}) {
    std::string what = refusal(Error::invalid, [&] { PrivateKey::parse(wrong); });
    CHECK(what.find("hunter2") == what.npos);
    refusal(Error::invalid, [&] { PublicKey::parse(wrong); });
  }
}

TEST_CASE("a key that is made is private to its owner, and the newest is the first") {
  TemporaryDirectory made;
  KeyDirectory keys(made.path / "a" / "keys");
  CHECK(keys.keys(kShop).empty());
  PublicKey first = keys.ensure(kShop);
  CHECK(keys.ensure(kShop) == first);
  PublicKey second = keys.make(kShop);
  CHECK(second != first);
  CHECK(keys.ensure(kShop) == second);
  auto all = keys.keys(kShop);
  REQUIRE(all.size() == 2);
  CHECK(all[0].public_key() == second);
  CHECK(all[1].public_key() == first);
  CHECK(mode_of(made.path / "a/keys") == 0700);
  CHECK(mode_of(made.path / "a/keys/shop") == 0700);
  CHECK(mode_of(made.path / "a/keys/shop/2.key") == 0600);
  CHECK(keys.keys(AppName{"other"}).empty());
}

TEST_CASE("a key that others may read is refused with the remedy") {
  TemporaryDirectory made;
  KeyDirectory keys(made.path / "keys");
  keys.make(kShop);
  fs::path file = made.path / "keys/shop/1.key";
  chmod(file.c_str(), 0640);
  CHECK(refusal(Error::denied, [&] { keys.keys(kShop); }).find("chmod 600 " + file.string()) !=
        std::string::npos);
  chmod(file.c_str(), 0600);
  chmod(file.parent_path().c_str(), 0770);
  CHECK(refusal(Error::denied, [&] { keys.keys(kShop); }).find("chmod 700 " + file.parent_path().string()) !=
        std::string::npos);
  refusal(Error::denied, [&] { keys.make(kShop); });
  chmod(file.parent_path().c_str(), 0700);
  CHECK(keys.keys(kShop).size() == 1);
}

TEST_CASE("a key file that is none is an error that names it, and a link is not followed") {
  TemporaryDirectory made;
  KeyDirectory keys(made.path / "keys");
  keys.make(kShop);
  fs::path file = made.path / "keys/shop/2.key";
  write_file_atomic(file, "hunter2\n", 0600);
  std::string what = refusal(Error::invalid, [&] { keys.keys(kShop); });
  CHECK(what.find(file.string()) != what.npos);
  CHECK(what.find("hunter2") == what.npos);
  fs::remove(file);
  fs::create_symlink("1.key", file);
  refusal(Error::denied, [&] { keys.keys(kShop); });
}

TEST_CASE("what a crash left half written is no key") {
  TemporaryDirectory made;
  KeyDirectory keys(made.path / "keys");
  keys.make(kShop);
  for (const char* name : {"2.key.01abc.new", "x.key", "0.key", "03.key", ".key"})
    write_file_atomic(made.path / "keys/shop" / name, "", 0600);
  CHECK(keys.keys(kShop).size() == 1);
}

TEST_CASE("only names of apps are directories of keys") {
  TemporaryDirectory made;
  KeyDirectory keys(made.path / "keys");
  for (const char* name : {"", "..", "../x", "a/b", "Shop", "-a", ".shop"}) {
    refusal(Error::invalid, [&] { keys.make(AppName{name}); });
    refusal(Error::invalid, [&] { keys.keys(AppName{name}); });
  }
}

TEST_CASE("a retired key stays until no release needs it, and one that none knows yet stays too") {
  TemporaryDirectory made;
  KeyDirectory keys(made.path / "keys");
  std::vector<PublicKey> made_keys;
  for (int i = 0; i < 4; ++i) made_keys.push_back(keys.make(kShop));
  keys.retire(kShop, {});
  CHECK(keys.keys(kShop).size() == 4);
  std::vector<PublicKey> needed{made_keys[2], PrivateKey::generate().public_key(), made_keys[1]};
  keys.retire(kShop, needed);
  CHECK(keys.keys(kShop).size() == 3);
  CHECK(keys.keys(kShop).back().public_key() == made_keys[1]);
}
