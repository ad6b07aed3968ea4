#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/subprocess.h"
#include "engine/record.h"

namespace holdall::engine {

/// The shim this binary carries, as a file in `bin`: named by its content, so that an instance keeps the shim
/// it was started with, whatever version of Holdall comes later.
std::filesystem::path install_shim(const std::filesystem::path& bin);

/// What a shim needs beside its specification; each is open, and stays the caller's.
struct ShimResources {
  const Fd& lock;
  const Fd& listener;
  const Fd& directory;
  const Fd& logs;
  const Pipe& out;
  const Pipe& err;
  const Fd& secrets;  ///< what open_secrets gave
};

struct Launched {
  pid_t pid = 0;  ///< a child of this process, which reaps it
  Fd pidfd;
};

/// Starts the shim that starts the instance; in a PID and mount namespace of its own where that is allowed.
/// Whether the program could be executed is the shim's to say. Throws `busy` if there is no room for another
/// process.
Launched launch(const std::filesystem::path& shim, const Record& record, const ShimResources& resources);

/// Runs argv as the instance runs, in the namespaces of `shim` (nullptr: in ours). At the deadline, and when
/// this process dies, its process group is killed.
Output enter(const std::filesystem::path& shim_program, const Record& record, const Fd* shim,
             const Fd& secrets, const std::vector<std::string>& argv, Deadline deadline);

/// Starts the record's command as somebody attends it (Engine::attend), in the namespaces of `shim` (nullptr:
/// in ours).
std::unique_ptr<Process> attend(const std::filesystem::path& shim_program, const Record& record,
                                const Fd* shim, const Fd& secrets, const Stdio& stdio);

/// Starts the record's command for nobody (Engine::leave).
void leave(const std::filesystem::path& shim_program, const Record& record, const Fd& shim,
           const Fd& secrets);

/// Starts the record's command in namespaces of its own (Engine::once). `directory`, which is made and
/// removed, is where its files of secrets lie that need a place outside of memory.
std::unique_ptr<Process> once(const std::filesystem::path& shim_program, const Record& record,
                              const std::filesystem::path& directory, const Fd& secrets, const Stdio& stdio);

}  // namespace holdall::engine
