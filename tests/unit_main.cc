#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <optional>

/// Defined by tests that start their own binary again as another process: plays the part that `argv` names
/// and gives its exit code, or nothing when `argv` names none.
[[gnu::weak]] std::optional<int> play_part(int argc, char** argv);

int main(int argc, char** argv) {
  if (play_part != nullptr) {
    if (auto code = play_part(argc, argv)) return *code;
  }
  return doctest::Context(argc, argv).run();
}
