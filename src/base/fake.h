#pragma once

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/time.h"

namespace holdall {

/// A clock that stands still until the test moves it. Thread-safe.
class FakeClock final : public Clock {
 public:
  Instant now() const override { return Instant(std::chrono::nanoseconds(now_.load())); }
  WallTime wall() const override { return WallTime(std::chrono::nanoseconds(wall_.load())); }

  void advance(std::chrono::nanoseconds span) {
    now_ += span.count();
    wall_ += span.count();
  }
  void set_wall(WallTime time) { wall_ = nanoseconds(time); }

 private:
  std::atomic<std::int64_t> now_{1'000'000'000'000};
  std::atomic<std::int64_t> wall_{1'800'000'000'000'000'000};
};

/// A directory of a test's own, gone with all that is in it when the test is over.
struct TemporaryDirectory {
  std::filesystem::path path = [] {
    char name[] = "/tmp/holdall-test-XXXXXX";
    return std::filesystem::path(mkdtemp(name));
  }();
  TemporaryDirectory() = default;
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
};

/// The kind of the error that `work` throws; nothing if it throws none.
template <typename Work>
std::optional<Error::Kind> kind_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error.kind();
  }
  return std::nullopt;
}

/// A file of the checkout, for tests that hold code to a document or to data: "docs/compose.md". The checkout
/// is looked for upwards from the test program, then from the working directory; compilers are told no
/// absolute path, so that every clone compiles the same.
inline std::filesystem::path in_checkout(const std::filesystem::path& path) {
  for (auto from : {std::filesystem::read_symlink("/proc/self/exe"), std::filesystem::current_path() / "."}) {
    while (from.has_relative_path()) {
      from = from.parent_path();
      if (std::filesystem::exists(from / "src/ROOMS")) return from / path;
    }
  }
  throw Error(Error::missing, "no checkout above the test program or the working directory");
}

}  // namespace holdall
