#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/digest.h"
#include "base/error.h"
#include "base/fake.h"
#include "base/files.h"
#include "wire/tree_format.h"
#include "wire/wire.h"

using namespace holdall;
namespace fs = std::filesystem;

namespace {

/// A directory of its own, removed at the end.
struct Scratch : TemporaryDirectory {
  Scratch() {
    fs::create_directory(path / "from");
    fs::create_directory(path / "to");
  }

  fs::path from(std::string_view name) const { return path / "from" / name; }
  fs::path to(std::string_view name) const { return path / "to" / name; }
  void write(std::string_view name, std::string_view content, fs::perms mode = fs::perms(0644)) const {
    fs::create_directories(from(name).parent_path());
    std::ofstream(from(name)) << content;
    fs::permissions(from(name), mode);
  }
  wire::PackedTree pack(const std::vector<std::string>& paths) const {
    return wire::pack_tree(path / "from", paths);
  }
  void unpack(const wire::PackedTree& tree) const { wire::unpack_tree(tree.file, path / "to", tree.digest); }
};

struct Nothing final : wire::TreeSink {
  void directory(const std::string&) override {}
  void link(const std::string&, const std::string&) override {}
  void file(const std::string&, bool, std::uint64_t) override {}
  void content(std::string_view) override {}
};

/// What a reader says against an archive with these entries.
std::string refusal(const std::string& entries) {
  Nothing sink;
  wire::TreeReader reader(sink);
  try {
    reader.feed(std::string(wire::kTreeMagic) + entries);
    reader.finish();
  } catch (const Error& error) {
    CHECK(error.kind() == Error::invalid);
    return error.what();
  }
  return "";
}

std::string sized(std::string_view text) {
  return std::string{static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)} +
         std::string(text);
}
std::string directory_entry(std::string_view path) { return "d" + sized(path); }
std::string file_entry(std::string_view path) { return "f" + sized(path) + std::string(8, '\0'); }
std::string link_entry(std::string_view path, std::string_view target) {
  return "l" + sized(path) + sized(target);
}

}  // namespace

TEST_CASE("a tree comes out as it went in: content, x-bit, links, empty directories") {
  Scratch scratch;
  scratch.write("app.py", "print('hello')\n");
  scratch.write("bin/start", "#!/bin/sh\n", fs::perms(0700));
  scratch.write("empty", "");
  scratch.write("big", std::string(300'000, 'x'));
  fs::create_directory(scratch.from("cache"));
  fs::create_symlink("../app.py", scratch.from("bin/app"));

  const wire::PackedTree tree =
      scratch.pack({"app.py", "bin", "bin/app", "bin/start", "big", "cache", "empty"});
  CHECK(tree.files == 5);
  scratch.unpack(tree);

  CHECK(read_file(scratch.to("app.py")) == "print('hello')\n");
  CHECK(read_file(scratch.to("big")) == std::string(300'000, 'x'));
  CHECK(read_file(scratch.to("empty")).empty());
  CHECK(fs::is_directory(scratch.to("cache")));
  CHECK(fs::read_symlink(scratch.to("bin/app")) == "../app.py");
  CHECK(fs::status(scratch.to("bin/start")).permissions() == fs::perms(0755));
  CHECK(fs::status(scratch.to("app.py")).permissions() == fs::perms(0644));
}

TEST_CASE("the same tree has the same digest, whatever its times, owners and the order of listing") {
  Scratch one, two;
  one.write("a/b", "1");
  one.write("a-b", "2", fs::perms(0600));
  two.write("a-b", "2", fs::perms(0664));
  two.write("a/b", "1");
  fs::last_write_time(two.from("a/b"), fs::file_time_type() + std::chrono::hours(1));

  CHECK(one.pack({"a", "a/b", "a-b"}).digest == two.pack({"a-b", "a/b", "a"}).digest);
}

TEST_CASE("one byte, one name or one x-bit more gives another digest") {
  Scratch scratch;
  scratch.write("a", "1");
  Digest first = scratch.pack({"a"}).digest;
  scratch.write("a", "2");
  CHECK(scratch.pack({"a"}).digest != first);
  scratch.write("a", "1", fs::perms(0755));
  CHECK(scratch.pack({"a"}).digest != first);
  scratch.write("a", "1");
  fs::create_directory(scratch.from("d"));
  CHECK(scratch.pack({"a", "d"}).digest != first);
  CHECK(scratch.pack({"a"}).digest == first);
}

TEST_CASE("directories that are not listed are made for what is in them") {
  Scratch scratch;
  scratch.write("src/deep/app.py", "1");
  scratch.unpack(scratch.pack({"src/deep/app.py"}));
  CHECK(read_file(scratch.to("src/deep/app.py")) == "1");
}

TEST_CASE("a link out of the tree cannot travel, and the refusal names it") {
  Scratch scratch;
  fs::create_symlink("/etc/passwd", scratch.from("passwords"));
  CHECK_THROWS_WITH_AS(scratch.pack({"passwords"}), doctest::Contains("passwords cannot travel"), Error);
}

TEST_CASE("a pipe cannot travel") {
  Scratch scratch;
  mkfifo(scratch.from("pipe").c_str(), 0600);
  CHECK_THROWS_WITH_AS(scratch.pack({"pipe"}), doctest::Contains("no file, directory or link"), Error);
}

TEST_CASE("an archive with another digest than announced is refused") {
  Scratch scratch;
  scratch.write("a", "1");
  wire::PackedTree tree = scratch.pack({"a"});
  tree.digest = sha256("something else");
  CHECK_THROWS_WITH_AS(scratch.unpack(tree), doctest::Contains("digest"), Error);
}

TEST_CASE("an archive cannot write outside its directory") {
  CHECK(refusal(file_entry("../a") + "e").find("'..'") != std::string::npos);
  CHECK(refusal(file_entry("/a") + "e").find("absolute") != std::string::npos);
  CHECK(refusal(directory_entry("a") + file_entry("a/../b") + "e").find("'..'") != std::string::npos);
  CHECK(refusal(link_entry("a", "/etc") + "e").find("absolute") != std::string::npos);
  CHECK(refusal(link_entry("a", "../b") + "e").find("outside") != std::string::npos);
  CHECK(refusal(link_entry("a", "b/../../c") + "e").find("after a name") != std::string::npos);
  CHECK(refusal(link_entry("a", "b") + file_entry("a/c") + "e").find("directory did not come first") !=
        std::string::npos);
}

TEST_CASE("an archive with a path twice, out of order or without its directory is refused") {
  CHECK(refusal(file_entry("a") + file_entry("a") + "e").find("twice") != std::string::npos);
  CHECK(refusal(file_entry("b") + file_entry("a") + "e").find("out of order") != std::string::npos);
  CHECK(refusal(file_entry("a/b") + "e").find("did not come first") != std::string::npos);
  CHECK(refusal(file_entry("") + "e").find("empty path") != std::string::npos);
}

TEST_CASE("an archive that is cut anywhere, or goes on after its end, is refused") {
  std::string whole = directory_entry("a") + file_entry("a/b") + link_entry("c", "a/b") + "e";
  CHECK(refusal(whole).empty());
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(refusal(whole.substr(0, size)).empty());
  CHECK(refusal(whole + "e").find("after its end") != std::string::npos);
}

TEST_CASE("a link may climb within the tree") {
  CHECK(refusal(directory_entry("a") + link_entry("a/b", "../c") + "e").empty());
  CHECK(refusal(link_entry("a", "./b//c") + "e").empty());
}
