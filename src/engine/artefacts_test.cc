#include <doctest/doctest.h>

#include "engine/artefacts.h"
#include "engine/world.h"

namespace holdall::engine {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// A tree to prepare: a file, a program and a link.
fs::path make_source(const World& world, const std::string& content) {
  fs::path source = world.directory() / random_id();
  fs::create_directories(source / "bin");
  write_file_atomic(source / "notes", content);
  write_file_atomic(source / "bin" / "run", "#!/bin/sh\necho ran\n", 0755);
  fs::create_symlink("bin/run", source / "run");
  return source;
}

TEST_CASE("equal trees are one artefact, and the source is consumed") {
  World world;
  fs::path first = make_source(world, "one"), second = make_source(world, "one"),
           third = make_source(world, "two");
  Digest digest = world.engine->prepare(first, {}, Deadline::never());
  CHECK(world.engine->prepare(second, {}, Deadline::never()) == digest);
  CHECK(world.engine->prepare(third, {}, Deadline::never()) != digest);
  CHECK_FALSE(fs::exists(first));
  CHECK_FALSE(fs::exists(second));
  CHECK(world.engine->has(digest));
}

TEST_CASE("an artefact is read-only, keeps its programs and its links") {
  World world;
  world.workload.artefact = world.engine->prepare(make_source(world, "one"), {}, Deadline::never());
  InstanceId id = world.start({"./run"});
  CHECK(world.await_end(id).exit == Exit{.code = 0});
  CHECK(world.lines(id) == std::vector<std::string>{"ran"});
  fs::path tree = world.state() / "artefacts" / world.workload.artefact.value.substr(7);
  auto mode = [&](const char* name) { return static_cast<unsigned>(fs::status(tree / name).permissions()); };
  CHECK(mode("") == 0555);
  CHECK(mode("bin") == 0555);
  CHECK(mode("notes") == 0444);
  CHECK(mode("bin/run") == 0555);
}

TEST_CASE("who may execute a file is part of the digest, its times are not") {
  World world;
  fs::path one = make_source(world, "x"), two = make_source(world, "x");
  fs::last_write_time(one / "notes", fs::file_time_type::clock::now() - 24h);
  CHECK(tree_digest(one) == tree_digest(two));
  fs::permissions(one / "notes", fs::perms::owner_all);
  CHECK(tree_digest(one) != tree_digest(two));
}

TEST_CASE("a build runs in the tree, and its words are the error when it fails") {
  World world;
  Digest built =
      world.engine->prepare(make_source(world, "x"), {"sh", "-c", "echo made > made"}, Deadline::never());
  CHECK(read_file(world.state() / "artefacts" / built.value.substr(7) / "made") == "made\n");
  CHECK_THROWS_WITH_AS(world.engine->prepare(make_source(world, "x"),
                                             {"sh", "-c", "echo no such module; exit 2"}, Deadline::never()),
                       "build: sh exited with code 2\nno such module\n", Error);
  CHECK_THROWS_WITH_AS(
      world.engine->prepare(make_source(world, "x"), {"sleep", "3600"}, Deadline::after(50ms)),
      "build: sleep was not done in time\n", Error);
}

TEST_CASE("what is no file, directory or link is refused by name") {
  World world;
  fs::path source = make_source(world, "x");
  REQUIRE(mkfifo((source / "bin" / "queue").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(world.engine->prepare(source, {}, Deadline::never()),
                       "bin/queue is no file, directory or link; leave it out with .dockerignore", Error);
}

TEST_CASE("artefacts that are not kept are deleted, but for those made just now") {
  World world;
  auto prepare = [&](const char* content, std::chrono::hours age) {
    Digest digest = world.engine->prepare(make_source(world, content), {}, Deadline::never());
    fs::path tree = world.state() / "artefacts" / digest.value.substr(7);
    fs::last_write_time(tree, fs::file_time_type::clock::now() - age);
    return digest;
  };
  Digest kept = prepare("one", 48h), old = prepare("two", 48h), fresh = prepare("three", 0h);
  Digest again = prepare("four", 48h);
  world.engine->prepare(make_source(world, "four"), {}, Deadline::never());
  world.engine->keep_artefacts({kept});
  CHECK(world.engine->has(kept));
  CHECK_FALSE(world.engine->has(old));
  CHECK(world.engine->has(fresh));
  CHECK(world.engine->has(again));
}

}  // namespace
}  // namespace holdall::engine
