#include "engine/launch.h"

#include <fcntl.h>
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
#include "engine/cgroups.h"
#include "engine/limits.h"
#include "engine/shim/descriptors.h"
#include "engine/strings.h"

extern "C" {
extern const unsigned char shim_binary[];
extern const std::size_t shim_binary_size;
}

namespace holdall::engine {
namespace {

/// What a shim is given that ends with this.
struct Given {
  Fd specification;
  std::vector<Fd> groups;
};

/// Gives the command what every word of the shim begins with: which program to run, and in which groups.
Given give(Command& command, const Record& record, const std::vector<std::string>& argv) {
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
  add_limits(record.limits, record.groups.size(), strings);
  Given given{sealed_memfd("shim-specification", strings.bytes()), open_groups(record.groups)};
  command.fds.emplace_back(given.specification.get(), kSpecFd);
  int number = kGroupsFd;
  for (const Fd& group : given.groups) command.fds.emplace_back(group.get(), number++);
  return given;
}

std::map<std::string, std::string> shim_environment() {
  std::map<std::string, std::string> environment;
#ifdef HOLDALL_FAILPOINTS
  if (const char* path = std::getenv("HOLDALL_SHIM_FAILPOINTS"))
    environment["HOLDALL_SHIM_FAILPOINTS"] = path;
#endif
  return environment;
}

Launched spawn_watched(const Command& command) {
  Launched launched{.pid = spawn(command), .pidfd = {}};
  launched.pidfd = Fd(static_cast<int>(syscall(SYS_pidfd_open, launched.pid, 0)));
  if (launched.pidfd) return launched;
  // Too many descriptors: what nobody can watch must not run.
  int error = errno;
  kill(launched.pid, SIGKILL);
  waitpid(launched.pid, nullptr, 0);
  throw_errno(Error::busy, "watch a new process", error);
}

/// In namespaces of its own, where that is allowed.
Launched spawn_apart(Command command) {
  try {
    command.namespaces = geteuid() == 0 ? CLONE_NEWPID | CLONE_NEWNS : 0;
    return spawn_watched(command);
  } catch (const Error& error) {
    // Root without the capability, in somebody's container: then as everybody else.
    if (error.kind() != Error::denied || command.namespaces == 0) throw;
    command.namespaces = 0;
    return spawn_watched(command);
  }
}

/// The shim's word for what it is to do; the next two are for `ps`.
Command shim_command(const std::filesystem::path& program, const char* word, const Record& record) {
  return {.argv = {program, word, fmt::format("{}.{}", record.service, record.slot), record.id.value}};
}

/// The shim's part is in engine/shim/attend.h.
class Attended final : public Process {
 public:
  Attended(Launched process, std::filesystem::path directory, std::vector<std::string> groups)
      : process_(std::move(process)), directory_(std::move(directory)), groups_(std::move(groups)) {}
  ~Attended() override {
    end();
    exit_code();
    remove_groups(groups_);
    std::error_code none;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, none);
  }

  const Fd& ended() const override { return process_.pidfd; }
  void signal(int number) override {
    if (!code_) kill(process_.pid, number);  // not reaped yet, so the number is still its own
  }
  void end() override { signal(SIGRTMAX); }
  int exit_code() override {
    int status = 0;
    while (!code_ && waitpid(process_.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!code_) code_ = shell_code(decode_wait_status(status));
    return *code_;
  }

 private:
  static int shell_code(const Exit& exit) {
    constexpr int kSignalled = 128;
    return exit.signal ? kSignalled + exit.signal : exit.code;
  }

  const Launched process_;
  const std::filesystem::path directory_;
  const std::vector<std::string> groups_;  ///< that are its own
  std::optional<int> code_;
};

void add(Command& command, const Stdio& stdio) {
  command.fds.emplace_back(stdio.in.get(), STDIN_FILENO);
  command.fds.emplace_back(stdio.out.get(), STDOUT_FILENO);
  command.fds.emplace_back(stdio.err.get(), STDERR_FILENO);
  command.die_with_parent = true;
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
  Command command{
      .argv = {shim, "run", fmt::format("{}.{}", record.service, record.slot), record.id.value},
      .environment = shim_environment(),
      .fds = {{resources.lock.get(), kLockFd},
              {resources.listener.get(), kListenerFd},
              {resources.directory.get(), kDirectoryFd},
              {resources.logs.get(), kLogsFd},
              {resources.out.read.get(), kOutReadFd},
              {resources.out.write.get(), kOutWriteFd},
              {resources.err.read.get(), kErrReadFd},
              {resources.err.write.get(), kErrWriteFd},
              {resources.secrets.get(), kSecretsFd}},
  };
  const Given given = give(command, record, record.command);
  return spawn_apart(std::move(command));
}

Output enter(const std::filesystem::path& shim_program, const Record& record, const Fd* shim,
             const Fd& secrets, const std::vector<std::string>& argv, Deadline deadline) {
  if (argv.empty()) throw Error(Error::invalid, "a command needs an argv");
  Command command{
      .argv = {shim_program, "enter", fmt::format("{}.{}", record.service, record.slot), record.id.value},
      .fds = {{secrets.get(), kSecretsFd}},
      .die_with_parent = true,
  };
  const Given given = give(command, record, argv);
  if (shim) command.fds.emplace_back(shim->get(), kTargetFd);
  return run(command, deadline);
}

std::unique_ptr<Process> attend(const std::filesystem::path& shim_program, const Record& record,
                                const Fd* shim, const Fd& secrets, const Stdio& stdio) {
  Command command = shim_command(shim_program, "attach", record);
  const Given given = give(command, record, record.command);
  command.fds.emplace_back(secrets.get(), kSecretsFd);
  if (shim) command.fds.emplace_back(shim->get(), kTargetFd);
  add(command, stdio);
  return std::make_unique<Attended>(spawn_watched(command), "", std::vector<std::string>());
}

void leave(const std::filesystem::path& shim_program, const Record& record, const Fd& shim,
           const Fd& secrets) {
  Command command = shim_command(shim_program, "leave", record);
  const Given given = give(command, record, record.command);
  command.fds.insert(command.fds.end(), {{secrets.get(), kSecretsFd}, {shim.get(), kTargetFd}});
  Output output = run(command, Deadline::never());
  if (!output.exit.ok()) {
    while (output.err.ends_with('\n')) output.err.pop_back();
    throw Error(Error::failed, output.err);
  }
}

std::unique_ptr<Process> once(const std::filesystem::path& shim_program, const Record& record,
                              const std::filesystem::path& directory, const Fd& secrets, const Stdio& stdio) {
  std::filesystem::create_directory(directory);
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
  Fd place(
      checked(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open " + directory.string()));
  make_groups(record.groups, record.limits);
  Command command = shim_command(shim_program, "once", record);
  const Given given = give(command, record, record.command);
  command.fds.insert(command.fds.end(), {{secrets.get(), kSecretsFd}, {place.get(), kDirectoryFd}});
  add(command, stdio);
  return std::make_unique<Attended>(spawn_apart(std::move(command)), directory, record.groups);
}

}  // namespace holdall::engine
