#include "api/processes.h"

#include <fmt/format.h>

#include <sstream>

#include "base/files.h"

namespace holdall::api {

std::optional<pid_t> child_with_argument(pid_t parent, std::string_view argument) {
  auto children = read_file_if_exists(fmt::format("/proc/{0}/task/{0}/children", parent));
  if (!children) return std::nullopt;
  // In the order in which they were born.
  std::optional<pid_t> youngest;
  std::istringstream pids(*children);
  for (pid_t pid; pids >> pid;) {
    std::string words = read_file_if_exists(fmt::format("/proc/{}/cmdline", pid)).value_or("");
    std::size_t first = words.find('\0');
    if (first == words.npos) continue;
    std::size_t second = words.find('\0', first + 1);
    if (std::string_view(words).substr(first + 1, second - first - 1) == argument) youngest = pid;
  }
  return youngest;
}

}  // namespace holdall::api
