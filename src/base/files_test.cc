#include "base/files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/fake.h"

using namespace holdall;
namespace fs = std::filesystem;

TEST_CASE("a file is read whole, and a file that is not there is missing") {
  TemporaryDirectory directory;
  std::string content(100'000, 'x');
  write_file_atomic(directory.path / "a", content);
  CHECK(read_file(directory.path / "a") == content);
  CHECK(read_file_if_exists(directory.path / "b") == std::nullopt);
  CHECK(kind_of([&] { read_file(directory.path / "b"); }) == Error::missing);
  CHECK(kind_of([&] { read_file(directory.path / "a", 99'999); }) == Error::invalid);
  CHECK(read_file(directory.path / "a", 100'000) == content);
  CHECK(kind_of([&] { read_file(directory.path); }) == Error::invalid);
  CHECK_FALSE(read_file("/proc/self/status").empty());
}

TEST_CASE("a replaced file has the mode asked for and leaves nothing beside it") {
  TemporaryDirectory directory;
  write_file_atomic(directory.path / "a", "old");
  write_file_atomic(directory.path / "a", "new", 0600);
  CHECK(read_file(directory.path / "a") == "new");
  struct stat status{};
  REQUIRE(stat((directory.path / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(std::distance(fs::directory_iterator(directory.path), fs::directory_iterator()) == 1);
}

TEST_CASE("a write that fails leaves the old file and nothing beside it") {
  TemporaryDirectory directory;
  fs::create_directory(directory.path / "a");
  write_file_atomic(directory.path / "a" / "inner", "x");
  CHECK_THROWS_AS(write_file_atomic(directory.path / "a", "new"), Error);
  CHECK(std::distance(fs::directory_iterator(directory.path), fs::directory_iterator()) == 1);
  CHECK(kind_of([&] { write_file_atomic(directory.path / "none" / "a", "x"); }) == Error::missing);
}

TEST_CASE("a reader sees the old content or the new, never a part") {
  TemporaryDirectory directory;
  const std::string old_content(50'000, 'o'), new_content(60'000, 'n');
  fs::path file = directory.path / "a";
  write_file_atomic(file, old_content);
  std::atomic<bool> done{false};
  std::jthread writer([&] {
    for (int i = 0; i < 50; ++i) write_file_atomic(file, i % 2 ? old_content : new_content);
    done = true;
  });
  bool whole = true;
  while (!done) {
    std::string seen = read_file(file);
    whole = whole && (seen == old_content || seen == new_content);
  }
  CHECK(whole);
}

TEST_CASE("a sealed memfd keeps its content against every change") {
  Fd memfd = sealed_memfd("table", "content");
  CHECK(read_memfd(memfd) == "content");
  CHECK(read_memfd(memfd) == "content");
  CHECK(pwrite(memfd.get(), "x", 1, 0) < 0);
  CHECK(ftruncate(memfd.get(), 0) < 0);
  CHECK(fcntl(memfd.get(), F_GETFD) == FD_CLOEXEC);
}
