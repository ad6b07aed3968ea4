#include "engine/shim/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/shim/confine.h"

namespace holdall::engine {
namespace {

constexpr int kCannotExecute = 126, kNotFound = 127;  // as shells have it

const char* value_of(char** environment, const char* name) {
  std::size_t length = std::strlen(name);
  for (; *environment; ++environment) {
    if (std::strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') {
      return *environment + length + 1;
    }
  }
  return nullptr;
}

void reset_signals() {
  // An ignored signal stays ignored through exec, and the program did not ask for that.
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// As execvp looks: the first entry that can be executed; a directory that may not be searched counts only
/// when nothing else is found. Sets errno.
void execute_on_path(const Spec& spec, char** environment) {
  const char* program = spec.argv[0];
  const char* path = value_of(environment, "PATH");
  int error = ENOENT;
  for (const char* entry = path ? path : ""; *entry;) {
    const char* end = std::strchr(entry, ':');
    auto length = static_cast<int>(end ? end - entry : static_cast<long>(std::strlen(entry)));
    char candidate[PATH_MAX];
    int written = std::snprintf(candidate, sizeof candidate, "%.*s/%s", length, entry, program);
    if (length > 0 && written < static_cast<int>(sizeof candidate)) {
      execve(candidate, spec.argv, environment);
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return;
      if (errno == EACCES) error = EACCES;
    }
    entry = end ? end + 1 : entry + length;
  }
  errno = error;
}

std::size_t length(char** list) {
  std::size_t items = 0;
  while (list && list[items]) ++items;
  return items;
}

/// Both lists after one another; no name is in both. nullptr: no memory.
char** joined(char** first, char** second) {
  std::size_t firsts = length(first), seconds = length(second);
  auto** all = static_cast<char**>(std::calloc(firsts + seconds + 1, sizeof(char*)));
  if (!all) return nullptr;
  std::copy_n(first, firsts, all);
  std::copy_n(second, seconds, all + firsts);
  return all;
}

}  // namespace

const char* words(int error) {
  const char* text = strerrordesc_np(error);
  return text ? text : "unknown error";
}

int become(const Spec& spec, const Secrets& secrets, char* reason, std::size_t size) {
  char** environment = joined(spec.environment, secrets.variables);
  if (!environment) {
    std::snprintf(reason, size, "cannot make its environment: %s", words(errno));
    return kCannotExecute;
  }
  if (!drop_privileges(spec, reason, size)) return kCannotExecute;
  // A change of user takes it away; it says the same again where there was none.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (chdir(spec.working_dir) != 0) {
    std::snprintf(reason, size, "cannot enter %s: %s", spec.working_dir, words(errno));
    return kCannotExecute;
  }
  reset_signals();
  // The caller's own report must survive a failure, so descriptors end with the exec and not before it.
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);

  const char* program = spec.argv[0];
  if (!std::strchr(program, '/')) {
    execute_on_path(spec, environment);
    bool found = errno != ENOENT;
    const char* where = found ? "" : " (looked for on its PATH)";
    std::snprintf(reason, size, "cannot execute %s: %s%s", program, words(errno), where);
    return found ? kCannotExecute : kNotFound;
  }
  execve(program, spec.argv, environment);
  int error = errno;
  bool no_interpreter = error == ENOENT && access(program, F_OK) == 0;
  std::snprintf(reason, size, "cannot execute %s: %s", program,
                no_interpreter ? "the interpreter that its first line names does not exist" : words(error));
  return error == ENOENT && !no_interpreter ? kNotFound : kCannotExecute;
}

}  // namespace holdall::engine
