#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/id.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/subprocess.h"
#include "base/time.h"
#include "net/address.h"

namespace holdall::engine {

/// A file that an instance finds in its own directory of secrets.
struct SecretFile {
  std::string name;    ///< of the secret
  std::string target;  ///< of the file, without a directory
  int mode = 0400;
  bool operator==(const SecretFile&) const = default;
};

inline constexpr std::uint64_t kUnlimited = UINT64_MAX;

/// One limit of setrlimit(2).
struct Ulimit {
  std::string name;  ///< "nofile"
  std::uint64_t soft = 0, hard = 0;
  bool operator==(const Ulimit&) const = default;
};

/// What an instance may use, all its processes together; 0: as much as there is.
struct Limits {
  std::uint64_t memory = 0;           ///< bytes
  std::optional<std::uint64_t> swap;  ///< bytes beside them; nothing: as many again
  std::uint64_t reserved_memory = 0;  ///< bytes that are taken from others first
  std::uint64_t cpu_thousandths = 0;  ///< of one processor's time
  std::uint64_t processes = 0;        ///< and threads
  std::vector<Ulimit> ulimits;        ///< of each process
  int oom_score_adj = 0;              ///< -1000 to 1000

  bool operator==(const Limits&) const = default;
};
Json to_json(const Limits& limits);
Limits parse_limits(const Json& json);

/// All that an engine needs to run one instance, every name resolved. A value; it knows no Compose and no
/// releases, and of secrets their names alone.
struct Workload {
  std::string app, service;          ///< display names, for HOLDALL_APP, logs and errors
  Digest artefact;                   ///< the tree it runs from
  std::vector<std::string> command;  ///< argv, never empty
  std::map<std::string, std::string>
      environment;  ///< declared, and HOLDALL_*; per-instance names are added by the engine
  /// Variables that hold secrets, as templates (base/secret_template.h); none is in `environment` too.
  std::map<std::string, std::string> secret_environment;
  std::vector<SecretFile> secret_files;
  std::uint32_t uid = 0;    ///< its user and its group, whom nobody else shares; 0: the engine's own
  std::string working_dir;  ///< absolute, or relative to the artefact; empty: the artefact
  int stop_signal = 15;
  std::chrono::milliseconds stop_grace{10'000};  ///< from the stop signal to SIGKILL of the whole tree
  Limits limits;

  bool operator==(const Workload&) const = default;
};

/// One instance as the caller wants it. The caller has committed its id before it passes it here.
struct Member {
  InstanceId id;
  int slot = 1;            ///< `web.1`: the display name's number, and HOLDALL_INSTANCE
  std::uint16_t port = 0;  ///< its $PORT; 0: it has none

  bool operator==(const Member&) const = default;
};

/// Instances of one workload. Which members there are is desired state; a member is started once, never
/// again.
struct Group {
  GroupId id;
  Workload workload;
  std::vector<Member> members;
};

enum class State : std::uint8_t {
  starting,  ///< its shim is being made
  running,
  stopping,  ///< stop signal sent
  exited,    ///< `exit` or `failure` says how
};

struct Instance {
  InstanceId id;
  GroupId group;
  int slot = 0;
  State state = State::starting;
  net::Address address;             ///< where the router reaches it; port 0: it has none
  std::optional<Instant> executed;  ///< when its program was executed (BOOTTIME)
  std::optional<Exit> exit;
  std::string failure;  ///< it never ran, or nobody knows how it ended: why, in words
  /// Of an instance that ended: how many of its processes the kernel killed for want of memory.
  std::uint64_t memory_kills = 0;
};

/// What somebody wants to run with what an instance has, beside what it runs by itself.
struct Program {
  std::vector<std::string> argv;                   ///< never empty
  std::map<std::string, std::string> environment;  ///< over and beside the instance's
  std::string working_dir;  ///< absolute, or relative to the artefact; empty: as the instance's
};

/// The descriptors 0, 1 and 2 of a program. A terminal becomes its controlling one.
struct Stdio {
  const Fd& in;
  const Fd& out;
  const Fd& err;
};

/// A program that somebody attends. When it has ended, when this is destroyed and when the thread that
/// started it ends, it goes with all that it started. One thread's.
class Process {
 public:
  virtual ~Process() = default;
  virtual const Fd& ended() const = 0;  ///< polls readable once nothing of it is left
  virtual void signal(int number) = 0;  ///< to the program
  virtual void end() = 0;               ///< SIGKILL to all of it, without waiting
  /// Waits for its end. The program's exit code, 128 and the number of the signal that killed it; 127 if it
  /// was not found and 126 if it could not be executed, with the reason on its descriptor 2.
  virtual int exit_code() = 0;
};

/// A copy of an instance that nobody supervises, for one program.
struct Copy {
  InstanceId id;           ///< its own
  GroupId group;           ///< whose secrets it sees
  std::uint16_t port = 0;  ///< its $PORT; 0: it has none
};

/// A process of an instance, as the machine numbers it.
struct ProcessInfo {
  int pid = 0, parent = 0;
  std::uint32_t uid = 0;
  Instant started;
  std::chrono::nanoseconds cpu{0};  ///< that it has used
  std::string command;              ///< its argv, separated by blanks
};

/// What all processes of an instance use together.
struct Usage {
  std::chrono::nanoseconds cpu{0};  ///< that they have used, those that ended included as far as is known
  std::uint64_t memory = 0;         ///< bytes, without what can be read from files again
  std::uint64_t memory_limit = 0;   ///< bytes; 0: none
  std::size_t processes = 0;
};

struct Listener {
  net::Address address;
  bool operator==(const Listener&) const = default;
};

struct Capabilities {
  bool restarts_by_itself = false;
  bool probes_by_itself = false;
  bool moves_between_nodes = false;
  bool address_per_instance = false;
};

/// Where instances run. Level-triggered: `apply` says what should be, `observe` what is; every call is
/// idempotent and may be repeated after a crash. Called from one thread at a time, but for `prepare`, `exec`,
/// `attend`, `leave`, `once`, `listeners`, `unenforced` and `free_port`, which are thread-safe. An engine
/// that does not answer throws `busy`, naming it and the remedy.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual Capabilities capabilities() const = 0;

  /// Makes the artefact of a source tree: a read-only, content-addressed copy, after `build` (an argv; may be
  /// empty) ran in it. `source` is consumed (moved or deleted). The same content gives the same digest and
  /// keeps the first copy.
  virtual Digest prepare(const std::filesystem::path& source, const std::vector<std::string>& build,
                         Deadline deadline) = 0;
  virtual bool has(const Digest& artefact) const = 0;
  /// Deletes every artefact that is not in `kept` and was not prepared within the last hour: the release that
  /// names it may not be recorded yet.
  virtual void keep_artefacts(const std::vector<Digest>& kept) = 0;

  /// Starts the members that never were started and stops the group's instances that are no members, without
  /// waiting for either. A member that has exited is left as it is. Throws only when nothing could be done at
  /// all; what goes wrong with one instance is its state `exited` with a `failure`.
  virtual void apply(const Group& group) = 0;
  void remove(const GroupId& group) { apply(Group{group, {}, {}}); }

  /// Sends the signal to the instance's program. Throws `missing` unless it runs.
  virtual void signal(const InstanceId& id, int number) = 0;

  /// All instances of all groups, those that a former control started included. An instance that was stopped
  /// vanishes once its whole tree is gone and its output is on the disk; a member that exited stays until it
  /// is no member.
  virtual std::vector<Instance> observe() = 0;

  /// A descriptor that polls readable when `observe` would say something new.
  virtual int changes() const = 0;

  /// Runs argv where the instance runs: its namespaces, environment, working directory.
  virtual Output exec(const InstanceId& id, const std::vector<std::string>& argv, Deadline deadline) = 0;

  /// Starts the program where the instance runs, as `exec` does. Throws `missing` if it does not run.
  virtual std::unique_ptr<Process> attend(const InstanceId& id, const Program& program,
                                          const Stdio& stdio) = 0;

  /// The same, with nobody to attend it: it goes on until its own end or the instance's, and says nothing.
  /// Returns once it is executed; throws `failed` with the reason if it cannot be, `invalid` where it could
  /// outlive the instance.
  virtual void leave(const InstanceId& id, const Program& program) = 0;

  /// Starts the program in a copy of what an instance of `workload` would be: its artefact, environment,
  /// secrets, user and working directory, and nothing of what runs. Its HOLDALL_INSTANCE is what the
  /// program's environment says.
  virtual std::unique_ptr<Process> once(const Copy& copy, const Workload& workload, const Program& program,
                                        const Stdio& stdio) = 0;

  /// A word that is another one each time the file was touched, made anew or grew, as the instance sees it;
  /// empty if there is no such file, or it is none. A relative path is taken from its HOME. Throws `missing`
  /// if it does not run. Thread-safe.
  virtual std::string touched(const InstanceId& id, const std::string& path) const = 0;

  /// The TCP sockets on which processes of the instance listen now.
  virtual std::vector<Listener> listeners(const InstanceId& id) const = 0;

  /// What of these limits would not hold on this machine, each in words with the reason; empty: all hold.
  /// Thread-safe.
  virtual std::vector<std::string> unenforced(const Limits& limits) const = 0;

  /// The processes of the instance, in order of their pids, without those that are Holdall's own.
  /// Thread-safe, as is `usage`. Both throw `missing` if it does not run.
  virtual std::vector<ProcessInfo> processes(const InstanceId& id) const = 0;
  virtual Usage usage(const InstanceId& id) const = 0;

  /// A port for a new member's $PORT. Not in `taken`, and nobody listens on it.
  virtual std::uint16_t free_port(const std::vector<std::uint16_t>& taken) = 0;
};

/// Read ends of output pipes outlive shim and control when somebody else keeps them too: the serve parent.
class PipeKeeper {
 public:
  virtual ~PipeKeeper() = default;
  /// Keeps duplicates of both read ends until `drop`.
  virtual void keep(const InstanceId& id, const Fd& out, const Fd& err) = 0;
  /// The kept ends, if there are any.
  virtual std::optional<std::pair<Fd, Fd>> take(const InstanceId& id) = 0;
  virtual void drop(const InstanceId& id) = 0;
};

/// Opens sealed values, at the moment when an instance, or a program beside it, is started. Whoever asks
/// keeps none of them.
class SecretSource {
 public:
  virtual ~SecretSource() = default;
  /// The values of `names` as the instances of the group see them, or an Error. Thread-safe.
  virtual std::map<std::string, Secret> open(const GroupId& group, const std::set<std::string>& names) = 0;
};

/// The engine that needs nothing installed: a shim and a process tree for each instance
/// (docs/formats/shim.md). An instance with a uid of its own sees nothing of `state` but its artefact.
struct ProcessEngineOptions {
  std::filesystem::path state;  ///< artefacts/, logs/, bin/ are kept here
  std::filesystem::path run;    ///< i/<id>/ are made here
  /// Soft limits that instances begin with: those that this machine gives, before anybody raised them.
  std::optional<std::uint64_t> open_files, core_bytes;
};
std::unique_ptr<Engine> make_process_engine(ProcessEngineOptions options, PipeKeeper& keeper,
                                            SecretSource& secrets, const Clock& clock);

}  // namespace holdall::engine
