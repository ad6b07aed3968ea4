#include "logs/logs.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"

namespace holdall::logs {
namespace {

namespace fs = std::filesystem;

/// An instance's directory, written by hand as the shim writes it.
class Written {
 public:
  Written() {
    std::string pattern = "/tmp/holdall-logs-XXXXXX";
    if (!mkdtemp(pattern.data())) throw_errno(Error::broken, "make a directory", errno);
    dir = pattern;
  }
  ~Written() { fs::remove_all(dir); }
  Written(const Written&) = delete;

  /// Appends to the segment with this base; its first byte came at `seconds`.
  void append(std::uint64_t base, const std::string& text, std::int64_t seconds,
              const char* stream = "stdout") {
    std::string name = fmt::format("{}.{:020}", stream, base);
    std::uint64_t mark[2] = {base, static_cast<std::uint64_t>(seconds) * 1'000'000'000};
    std::error_code absent;
    auto size = fs::file_size(dir / (name + ".log"), absent);
    if (!absent) mark[0] += size;
    add(name + ".times", {reinterpret_cast<const char*>(mark), sizeof mark});
    add(name + ".log", text);
  }

  fs::path dir;

 private:
  void add(const std::string& name, std::string_view bytes) const {
    Fd file(checked(open((dir / name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), "open"));
    write_all(file.get(), bytes);
  }
};

std::vector<std::string> texts(const std::vector<Line>& lines) {
  std::vector<std::string> all;
  for (const Line& line : lines) all.push_back(line.text);
  return all;
}

using Texts = std::vector<std::string>;

TEST_CASE("a reader gives what is new, and a line only when it is whole") {
  Written log;
  Reader reader(log.dir);
  CHECK(reader.next(10).empty());
  log.append(0, "one\ntwo\nthr", 1);
  CHECK(texts(reader.next(10)) == Texts{"one", "two"});
  CHECK(reader.next(10).empty());
  log.append(0, "ee\n", 2);
  auto lines = reader.next(10);
  REQUIRE(texts(lines) == Texts{"three"});
  CHECK(lines[0].offset == 8);
  CHECK(lines[0].time == wall_time(1'000'000'000));
  CHECK_FALSE(lines[0].partial);
  CHECK(reader.cursor() == Cursor{.out = 14});
}

TEST_CASE("the rest of a stream that has ended is a partial line") {
  Written log;
  log.append(0, "one\nlast words", 1);
  Reader reader(log.dir);
  CHECK(texts(reader.next(10)) == Texts{"one"});
  auto lines = reader.next(10, true);
  REQUIRE(texts(lines) == Texts{"last words"});
  CHECK(lines[0].partial);
  CHECK(reader.next(10, true).empty());
}

TEST_CASE("lines go on over the border of segments") {
  Written log;
  log.append(0, "one\ntw", 1);
  log.append(6, "o\nthree\n", 2);
  Reader reader(log.dir);
  auto lines = reader.next(10);
  CHECK(texts(lines) == Texts{"one", "two", "three"});
  CHECK(lines[1].time == wall_time(1'000'000'000));
  CHECK(lines[2].time == wall_time(2'000'000'000));
}

TEST_CASE("a reader that follows finds a segment made meanwhile") {
  Written log;
  log.append(0, "one\n", 1);
  Reader reader(log.dir);
  CHECK(texts(reader.next(10)) == Texts{"one"});
  log.append(4, "two\n", 2);
  auto lines = reader.next(10);
  REQUIRE(texts(lines) == Texts{"two"});
  CHECK(lines[0].time == wall_time(2'000'000'000));
}

TEST_CASE("both streams are merged by time") {
  Written log;
  log.append(0, "out 1\n", 1);
  log.append(0, "err 2\n", 2, "stderr");
  log.append(0, "out 3\n", 3);
  log.append(0, "err 4\n", 4, "stderr");
  CHECK(texts(Reader(log.dir).next(10)) == Texts{"out 1", "err 2", "out 3", "err 4"});
  CHECK(texts(Reader(log.dir).next(2)) == Texts{"out 1", "err 2"});
}

TEST_CASE("reading goes on from a cursor") {
  Written log;
  log.append(0, "one\ntwo\nthree\n", 1);
  Reader first(log.dir);
  first.next(2);
  CHECK(texts(Reader(log.dir, first.cursor()).next(10)) == Texts{"three"});
}

TEST_CASE("a line over a mebibyte comes in pieces") {
  Written log;
  std::string piece(1 << 20, 'x');
  log.append(0, piece + "yz\nnext\n", 1);
  auto lines = Reader(log.dir).next(10);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].text == piece);
  CHECK(lines[0].partial);
  CHECK(lines[1].text == "yz");
  CHECK_FALSE(lines[1].partial);
  CHECK(lines[2].text == "next");
}

TEST_CASE("a tail is the last lines of both streams, the unfinished one included") {
  Written log;
  std::string many;
  for (int i = 1; i <= 50'000; ++i) many += fmt::format("line {}\n", i);
  log.append(0, many, 1);
  log.append(many.size(), "out\nlast", 3);
  log.append(0, "err\n", 2, "stderr");
  CHECK(texts(tail(log.dir, 4)) == Texts{"line 50000", "err", "out", "last"});
  CHECK(tail(log.dir, 0).empty());
  CHECK(tail(log.dir, 100'000).size() == 50'003);
  CHECK(tail(log.dir / "absent", 10).empty());
}

TEST_CASE("the end is after the last newline, so that no line is cut") {
  Written log;
  CHECK(end(log.dir) == Cursor{});
  log.append(0, "one\ntwo\nthr", 1);
  CHECK(end(log.dir) == Cursor{.out = 8});
  Reader reader(log.dir, end(log.dir));
  log.append(0, "ee\n", 2);
  CHECK(texts(reader.next(10)) == Texts{"three"});
}

TEST_CASE("retention deletes whole segments, oldest first, and never the newest") {
  Written log;
  log.append(0, "aaaa\n", 1);
  log.append(5, "bbbb\n", 2);
  log.append(10, "cccc\n", 3);
  Reader late(log.dir);
  retain(log.dir, 10);
  CHECK(texts(late.next(10)) == Texts{"bbbb", "cccc"});
  CHECK(late.dropped() == 5);
  retain(log.dir, 1);
  CHECK(texts(Reader(log.dir).next(10)) == Texts{"cccc"});
  CHECK(std::distance(fs::directory_iterator(log.dir), {}) == 2);
}

TEST_CASE("lines whose times are lost are still there") {
  Written log;
  log.append(0, "one\n", 1);
  fs::remove(log.dir / fmt::format("stdout.{:020}.times", 0));
  auto lines = Reader(log.dir).next(10);
  REQUIRE(texts(lines) == Texts{"one"});
  CHECK(lines[0].time > wall_time(1'000'000'000));
}

TEST_CASE("every instance of an app that left output is listed, oldest first") {
  Written logs;
  auto left = [&](const char* service, int slot, const char* id) {
    fs::path dir = instance_dir(logs.dir, "shop", service, slot, {id});
    fs::create_directories(dir);
    return dir;
  };
  write_file_atomic(left("web", 2, "b") / "stdout.0.log", "x");
  write_file_atomic(left("my.worker", 1, "a") / "stdout.0.log", "x");
  left("web", 1, "c");
  auto found = list(logs.dir, "shop");
  REQUIRE(found.size() == 2);
  CHECK(found[0].service == "my.worker");
  CHECK(found[0].slot == 1);
  CHECK(found[1].id == InstanceId{"b"});
  CHECK(list(logs.dir, "unknown").empty());
}

}  // namespace
}  // namespace holdall::logs
