#include "engine/launch.h"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "engine/shim/descriptors.h"
#include "engine/strings.h"

extern "C" {
extern const unsigned char shim_binary[];
extern const std::size_t shim_binary_size;
}

namespace holdall::engine {
namespace {

Fd specification(const Record& record, const std::vector<std::string>& argv) {
  std::vector<std::string> environment;
  for (const auto& [name, value] : record.environment)
    environment.push_back(fmt::format("{}={}", name, value));
  Strings strings;
  strings.add("1");
  strings.add(record.id.value);
  strings.add(record.boot_id);
  strings.add(record.working_dir);
  strings.add(record.uid);
  strings.add(record.cover);
  strings.add(record.artefact);
  strings.add(record.home);
  strings.add(record.open_files);
  strings.add(record.core_bytes);
  strings.add_all(argv);
  strings.add_all(environment);
  return sealed_memfd("shim-specification", strings.bytes());
}

std::map<std::string, std::string> shim_environment() {
  std::map<std::string, std::string> environment;
#ifdef HOLDALL_FAILPOINTS
  if (const char* path = std::getenv("HOLDALL_SHIM_FAILPOINTS"))
    environment["HOLDALL_SHIM_FAILPOINTS"] = path;
#endif
  return environment;
}

}  // namespace

std::filesystem::path install_shim(const std::filesystem::path& bin) {
  std::string_view content(reinterpret_cast<const char*>(shim_binary), shim_binary_size);
  std::string digest = sha256(content).value.substr(std::strlen("sha256:"), 16);
  std::filesystem::path path = bin / fmt::format("shim-{}", digest);
  std::filesystem::create_directories(bin);
  if (read_file_if_exists(path) != content) write_file_atomic(path, content, 0755);
  return path;
}

Launched launch(const std::filesystem::path& shim, const Record& record, const ShimResources& resources) {
  Fd spec = specification(record, record.command);
  Command command{
      .argv = {shim, "run", fmt::format("{}.{}", record.service, record.slot), record.id.value},
      .environment = shim_environment(),
      .fds = {{spec.get(), kSpecFd},
              {resources.lock.get(), kLockFd},
              {resources.listener.get(), kListenerFd},
              {resources.directory.get(), kDirectoryFd},
              {resources.logs.get(), kLogsFd},
              {resources.out.read.get(), kOutReadFd},
              {resources.out.write.get(), kOutWriteFd},
              {resources.err.read.get(), kErrReadFd},
              {resources.err.write.get(), kErrWriteFd},
              {resources.secrets.get(), kSecretsFd}},
  };
  Launched launched;
  try {
    command.namespaces = geteuid() == 0 ? CLONE_NEWPID | CLONE_NEWNS : 0;
    launched.pid = spawn(command);
  } catch (const Error& error) {
    // Root without the capability, in somebody's container: then as everybody else.
    if (error.kind() != Error::denied || command.namespaces == 0) throw;
    command.namespaces = 0;
    launched.pid = spawn(command);
  }
  launched.pidfd = Fd(static_cast<int>(syscall(SYS_pidfd_open, launched.pid, 0)));
  if (!launched.pidfd) {
    // Too many descriptors: what nobody can watch must not run.
    int error = errno;
    kill(launched.pid, SIGKILL);
    waitpid(launched.pid, nullptr, 0);
    throw_errno(Error::busy, "watch a new process", error);
  }
  return launched;
}

Output enter(const std::filesystem::path& shim_program, const Record& record, const Fd* shim,
             const Fd& secrets, const std::vector<std::string>& argv, Deadline deadline) {
  if (argv.empty()) throw Error(Error::invalid, "a command needs an argv");
  Fd spec = specification(record, argv);
  Command command{
      .argv = {shim_program, "enter", fmt::format("{}.{}", record.service, record.slot), record.id.value},
      .fds = {{spec.get(), kSpecFd}, {secrets.get(), kSecretsFd}},
      .die_with_parent = true,
  };
  if (shim) command.fds.emplace_back(shim->get(), kTargetFd);
  return run(command, deadline);
}

}  // namespace holdall::engine
