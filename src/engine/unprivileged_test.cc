#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/subprocess.h"

namespace holdall::engine {
namespace {

// Root has a namespace for each instance; everybody else a subreaper, which keeps the same promises in
// another way.
TEST_CASE("all of this holds for somebody who is not root [once]" * doctest::skip(geteuid() != 0)) {
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    constexpr unsigned kNobody = 65534;
    if (setgid(kNobody) == 0 && setuid(kNobody) == 0) {
      execl("/proc/self/exe", "test_engine", "--test-case-exclude=*[once]*", nullptr);
    }
    _exit(127);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(decode_wait_status(status) == Exit{.code = 0});
}

}  // namespace
}  // namespace holdall::engine
