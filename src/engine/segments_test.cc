#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstring>

#include "engine/shim/segments.h"
#include "engine/world.h"

namespace holdall::engine {
namespace {

namespace fs = std::filesystem;

/// Files of this process may not grow beyond this: what a full disk is to a shim.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_;
};

struct Stream {
  Stream() : dir(world.directory() / "stream") {
    fs::create_directory(dir);
    directory = Fd(checked(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open"));
  }
  World world;
  fs::path dir;
  Fd directory;
  Pipe pipe = make_pipe(0);
};

TEST_CASE("a stream that says nothing leaves no file") {
  Stream stream;
  Segments segments(stream.directory.get(), "stdout");
  CHECK(segments.move(stream.pipe.read.get()) == Segments::Moved::nothing);
  stream.pipe.write.reset();
  CHECK(segments.move(stream.pipe.read.get()) == Segments::Moved::end);
  CHECK(fs::is_empty(stream.dir));
}

TEST_CASE("another process goes on where the one before was killed") {
  Stream stream;
  for (const char* text : {"one\ntw", "o\nthree\n"}) {
    Segments segments(stream.directory.get(), "stdout");
    REQUIRE(segments.resume());
    write_all(stream.pipe.write.get(), text);
    CHECK(segments.move(stream.pipe.read.get()) == Segments::Moved::some);
  }
  CHECK(read_file(stream.dir / fmt::format("stdout.{:020}.log", 0)) == "one\ntwo\nthree\n");
}

TEST_CASE("on a full disk the program goes on, and what is lost is counted") {
  Stream stream;
  constexpr rlim_t kRoom = 8192;
  constexpr std::uint64_t kSaid = 20'000;
  Segments segments(stream.directory.get(), "stdout");
  write_all(stream.pipe.write.get(), std::string(kSaid, 'x'));
  {
    FullDisk disk(kRoom);
    while (segments.move(stream.pipe.read.get()) == Segments::Moved::some) {
    }
  }
  CHECK(fs::file_size(stream.dir / fmt::format("stdout.{:020}.log", 0)) == kRoom);
  REQUIRE(segments.flush());
  std::string lost = read_file(stream.dir / "stdout.lost");
  REQUIRE(lost.size() == 24);
  std::uint64_t loss[3];
  std::memcpy(loss, lost.data(), sizeof loss);
  CHECK(loss[0] == kRoom);
  CHECK(loss[1] == kSaid - kRoom);
}

TEST_CASE("a long stream goes on in another segment, and its lines over the border") {
  World world;
  constexpr int kLines = 20'000;
  const std::string rest(1000, 'x');
  InstanceId id = world.start({"seq", "-f", "%.0f" + rest, std::to_string(kLines)});
  REQUIRE(world.await_end(id).exit == Exit{.code = 0});
  CHECK(fs::file_size(world.logs_of(id) / fmt::format("stdout.{:020}.log", 0)) == 16 << 20);
  logs::Reader reader(world.logs_of(id));
  int line = 0;
  constexpr std::size_t kAtOnce = 10'000;
  for (auto more = reader.next(kAtOnce); !more.empty(); more = reader.next(kAtOnce)) {
    for (const logs::Line& read : more) line += read.text == std::to_string(line + 1) + rest;
  }
  CHECK(line == kLines);
}

}  // namespace
}  // namespace holdall::engine
