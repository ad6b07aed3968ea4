#include "base/seal.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <type_traits>

#include "base/base64.h"
#include "base/refusal_test.h"

using namespace holdall;

namespace {

const AppName kShop{"shop"};

/// A file sealed to a server and to a recovery key, with these values.
struct Sealed {
  std::vector<PrivateKey> server, recovery, stranger;
  SealedFile file{"secrets.sealed"};

  Sealed() {
    for (auto* keys : {&server, &recovery, &stranger}) keys->push_back(PrivateKey::generate());
    file.set_recipient({"server", server[0].public_key()});
    file.set_recipient({"recovery", recovery[0].public_key()});
  }

  std::string text() const { return file.print(); }
};

Sealed sealed(const std::vector<std::pair<std::string, std::string>>& values) {
  Sealed made;
  for (const auto& [name, value] : values) made.file.seal(kShop, name, Secret(value));
  return made;
}

SealedFile parse(const std::string& text) { return SealedFile::parse(text, "secrets.sealed"); }

std::string open_refusal(Error::Kind kind, const std::string& text, std::span<const PrivateKey> keys,
                         const AppName& app = kShop) {
  return refusal(kind, [&] { parse(text).open(app, keys); });
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The text with `name`'s line given to `change`.
std::string with_line(std::string text, const std::string& name, auto change) {
  std::size_t begin = text.find(name + " ");
  std::size_t end = text.find('\n', begin);
  std::string line = text.substr(begin, end - begin);
  change(line);
  return text.replace(begin, end - begin, line);
}

/// Another letter of base64 in its place, so that what was altered still reads as a sealed value.
auto altered_at(std::size_t place) {
  return [place](std::string& line) { line[place] = line[place] == 'A' ? 'B' : 'A'; };
}

}  // namespace

TEST_CASE("a secret does not become a string by itself, and is not copied") {
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  static_assert(!std::is_copy_constructible_v<Secret>);
  std::string source = "a longer password than fits into the object";
  Secret secret = Secret::taken_from(source);
  CHECK(source.empty());
  Secret moved = std::move(secret);
  CHECK((moved == Secret("a longer password than fits into the object")));
  CHECK_FALSE((moved == Secret("a longer password than fits into the objecT")));
  CHECK((Secret() == Secret("")));
}

TEST_CASE("base64 is what RFC 4648 says, and nothing that differs from it is read") {
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("") == "");
  CHECK(base64_decode("Zm9vYg==") == "foob");
  CHECK(base64_decode("") == "");
  for (const char* wrong :
       {"Zm9vYg", "Zm9vYg=", "Zm9vYh==", "Zm9v Yg==", "Zm9vYg==\n", "Zm9vYg==Zm9v", "Zm-_"})
    CHECK_FALSE(base64_decode(wrong));
}

TEST_CASE("every recipient opens every value") {
  Sealed made = sealed({{"B", "two"}, {"A", "one"}, {"EMPTY", ""}, {"BYTES", std::string("\0\xff\n", 3)}});
  for (const auto* keys : {&made.server, &made.recovery}) {
    auto values = parse(made.text()).open(kShop, *keys);
    CHECK(values.size() == 4);
    CHECK(values.at("A").view() == "one");
    CHECK(values.at("BYTES").view() == std::string_view("\0\xff\n", 3));
    CHECK(values.at("EMPTY").empty());
  }
  CHECK(made.file.openable(kShop, made.server).size() == 4);
}

TEST_CASE("a value is one line that shows its name and recipients, and never twice the same") {
  Sealed made = sealed({{"A", "one"}});
  std::string first = made.text();
  made.file.seal(kShop, "A", Secret("one"));
  CHECK(first != made.text());
  CHECK(std::ranges::count(first, '\n') == 3);
  CHECK(has(first, "\nA server:"));
  CHECK(has(first, ",recovery:"));
}

TEST_CASE("a value is added with public keys alone, where its name sorts, and nothing else changes") {
  Sealed made = sealed({{"A", "one"}, {"C", "three"}});
  std::string text = "# ours\r\n\n" + made.text() + "  # the end";
  SealedFile file = parse(text);
  CHECK(file.print() == text);
  file.seal(kShop, "B", Secret("two"));
  CHECK(file.names() == std::vector<std::string>{"A", "B", "C"});
  file.seal(kShop, "D", Secret("four"));
  std::string grown = file.print();
  CHECK(grown.starts_with("# ours\r\n\nrecipient server "));
  CHECK(has(grown, "  # the end\nD server:"));
  for (const char* name : {"A", "C"}) {
    with_line(text, name, [&](const std::string& line) { CHECK(has(grown, line + "\n")); });
  }
  CHECK(parse(grown).open(kShop, made.server).size() == 4);
}

TEST_CASE("one bad value among ten refuses all, each with its line and reason") {
  Sealed made;
  for (char c = '0'; c <= '9'; ++c) made.file.seal(kShop, std::string("V") + c, Secret("good"));
  std::string text = with_line(made.text(), "V7", altered_at(40));
  CHECK(open_refusal(Error::invalid, text, made.server).starts_with("secrets.sealed:10: V7 was altered"));
  CHECK(parse(text).openable(kShop, made.server).size() == 9);
}

TEST_CASE("a changed character anywhere in the file is found, whoever opens it") {
  Sealed made = sealed({{"A", "one"}, {"B", "two"}});
  std::string text = made.text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] ^= 1;
    bool same = false;
    try {
      auto values = parse(changed).open(kShop, made.server);
      same = values.size() == 2;
    } catch (const Error&) {
    }
    CHECK_MESSAGE(!same, i);
  }
}

TEST_CASE("without a key of ours nothing opens, and the error says denied") {
  Sealed made = sealed({{"A", "one"}, {"B", "two"}});
  std::string what = open_refusal(Error::denied, made.text(), made.stranger);
  CHECK(has(what, "A is sealed to none of the keys at hand"));
  CHECK(has(what, "B is sealed to none of the keys at hand"));
  open_refusal(Error::denied, made.text(), {});
}

TEST_CASE("a value cannot be moved to another app or name") {
  Sealed made = sealed({{"A", "one"}});
  CHECK(has(open_refusal(Error::invalid, made.text(), made.server, AppName{"other"}), "for another app"));
  std::string renamed = with_line(made.text(), "A", [](std::string& line) { line[0] = 'B'; });
  CHECK(has(open_refusal(Error::invalid, renamed, made.server), "B was sealed for another name"));
  // app, name and value do not run into each other
  Sealed other;
  other.file.seal(AppName{"sho"}, "pA", Secret("one"));
  open_refusal(Error::invalid, other.text(), other.server);
}

TEST_CASE("values of both kinds of fault are told in one error, without a plaintext") {
  Sealed made = sealed({{"A", "hunter2"}, {"B", "hunter3"}});
  std::string text = with_line(made.text(), "B", [](std::string& line) { line[0] = 'C'; });
  std::string what = open_refusal(Error::invalid, text, made.server, AppName{"other"});
  CHECK(has(what, "A was sealed for another app"));
  CHECK(has(what, "C was sealed for another app"));
  CHECK_FALSE(has(what, "hunter"));
}

TEST_CASE("all lines that are not well-formed are told at once, without what stands in them") {
  std::string key = PrivateKey::generate().public_key().text();
  Secret private_text = PrivateKey::generate().text();
  std::string text = "recipient server " + key +
                     "\n"
                     "recipient again " +
                     key +
                     "\n"
                     "recipient odd,name " +
                     key +
                     "\n"
                     "recipient short AAAA\n"
                     "recipient oops " +
                     std::string(private_text.view()) +
                     "\n"
                     "<<<<<<< HEAD\n"
                     "DB_PASSWORD=hunter2\n"
                     "DB_PASSWORD hunter2\n"
                     "DB_PASSWORD hunter2\n"
                     "recipient\n";
  std::string what = refusal(Error::invalid, [&] { parse(text); });
  CHECK(has(what, "secrets.sealed:2: the key " + key + " stands in line 1 already"));
  CHECK(has(what, "secrets.sealed:3: a recipient is written"));
  CHECK(has(what, "secrets.sealed:4: recipient short: this is no public key"));
  CHECK(has(what, "secrets.sealed:5: recipient oops: a private key stands where a public key belongs"));
  CHECK(has(what, "secrets.sealed:6: a merge is not resolved"));
  CHECK(has(what, "secrets.sealed:7: this is neither"));
  CHECK(has(what, "secrets.sealed:8: what stands for DB_PASSWORD is no sealed value"));
  CHECK(has(what, "secrets.sealed:9: the value DB_PASSWORD stands in line 8 already"));
  CHECK(has(what, "secrets.sealed:10:"));
  CHECK_FALSE(has(what, "hunter2"));
  CHECK_FALSE(has(what, std::string(private_text.view().substr(20))));
}

TEST_CASE("a new recipient opens nothing until every value is sealed anew") {
  Sealed made = sealed({{"A", "one"}, {"B", "two"}});
  std::vector<PrivateKey> alice;
  alice.push_back(PrivateKey::generate());
  made.file.set_recipient({"alice", alice[0].public_key()});
  CHECK(made.file.faults().size() == 2);
  CHECK(has(open_refusal(Error::invalid, made.text(), made.server), "A is not sealed to recipient alice"));
  made.file.reseal(kShop, made.server);
  CHECK(made.file.faults().empty());
  CHECK(parse(made.text()).open(kShop, alice).at("B").view() == "two");
}

TEST_CASE("sealing anew needs every value, or changes nothing") {
  Sealed made = sealed({{"A", "one"}, {"B", "two"}});
  std::string text = with_line(made.text(), "A", altered_at(12));
  SealedFile file = parse(text);
  refusal(Error::invalid, [&] { file.reseal(kShop, made.server); });
  CHECK(file.print() == text);
  refusal(Error::denied, [&] { made.file.reseal(kShop, made.stranger); });
}

TEST_CASE("a removed recipient leaves every value, and an altered one still looks altered") {
  Sealed made = sealed({{"A", "one"}, {"B", "two"}});
  std::string text = with_line(made.text(), "B", altered_at(12));
  SealedFile file = parse(text);
  file.remove_recipient("recovery");
  CHECK(file.recipients().size() == 1);
  CHECK_FALSE(has(file.print(), "recovery"));
  CHECK(file.faults().size() == 1);
  CHECK(parse(file.print()).openable(kShop, made.server) == std::set<std::string>{"A"});
  CHECK(parse(file.print()).openable(kShop, made.recovery).empty());
  refusal(Error::missing, [&] { file.remove_recipient("alice"); });
  refusal(Error::invalid, [&] { file.remove_recipient("server"); });
}

TEST_CASE("a rotated key opens what is sealed to it, and the old key what is not yet") {
  Sealed made = sealed({{"A", "one"}});
  std::vector<PrivateKey> both;
  both.push_back(PrivateKey::generate());
  both.push_back(std::move(made.server[0]));
  SealedFile rotated = made.file;
  rotated.set_recipient({"server", both[0].public_key()});
  rotated.reseal(kShop, both);
  CHECK(rotated.open(kShop, both).at("A").view() == "one");
  CHECK(made.file.open(kShop, both).at("A").view() == "one");
  std::span<const PrivateKey> newest(both.data(), 1), oldest(both.data() + 1, 1);
  CHECK(rotated.open(kShop, newest).size() == 1);
  refusal(Error::denied, [&] { rotated.open(kShop, oldest); });
}

TEST_CASE("what cannot be sealed is refused without being repeated") {
  Sealed made;
  for (const char* name : {"", "1A", "A-B", "A=hunter2", "recipient"}) {
    CHECK_FALSE(
        has(refusal(Error::invalid, [&] { made.file.seal(kShop, name, Secret("hunter2")); }), "hunter2"));
  }
  refusal(Error::invalid, [&] { made.file.seal(kShop, "A", Secret(std::string((64 << 10) + 1, 'x'))); });
  made.file.seal(kShop, "A", Secret(std::string(64 << 10, 'x')));
  SealedFile nobody("secrets.sealed");
  CHECK(
      has(refusal(Error::invalid, [&] { nobody.seal(kShop, "A", Secret("x")); }), "holdall secrets keygen"));
  // A point of low order, to which anybody could have the key.
  nobody.set_recipient({"zero", PublicKey(std::array<unsigned char, PublicKey::kBytes>{})});
  refusal(Error::invalid, [&] { nobody.seal(kShop, "A", Secret("x")); });
}

TEST_CASE("what is taken from the environment is gone from it, and overwritten where it stood") {
  setenv("HOLDALL_TEST_KEY", "hunter2", 1);
  const char* place = getenv("HOLDALL_TEST_KEY");
  CHECK(take_from_environment("HOLDALL_TEST_KEY")->view() == "hunter2");
  CHECK(std::string_view(place).empty());
  CHECK(getenv("HOLDALL_TEST_KEY") == nullptr);
  CHECK_FALSE(take_from_environment("HOLDALL_TEST_KEY"));
}
