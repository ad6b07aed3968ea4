#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/id.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/time.h"
#include "engine/engine.h"

namespace holdall::engine {

/// What the next control must know of an instance when this one is dead: the file `meta` in its directory. A
/// value.
struct Record {
  InstanceId id;
  GroupId group;
  int slot = 1;
  std::uint16_t port = 0;
  std::string app, service;
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;         ///< all that the program sees, but for secrets
  std::map<std::string, std::string> secret_environment;  ///< templates
  std::vector<SecretFile> secret_files;
  std::string working_dir;  ///< absolute
  std::uint32_t uid = 0;    ///< 0: the engine's own
  std::string cover;        ///< with a uid: the directory of which it sees `artefact` and `home` alone
  std::string artefact, home;
  std::uint64_t open_files = 0, core_bytes = 0;  ///< soft limits
  int stop_signal = 15;
  std::chrono::milliseconds stop_grace{0};
  Limits limits;
  std::vector<std::string> groups;  ///< its control groups (engine/cgroups.h)
  std::string logs;                 ///< directory of its segments
  std::string boot_id;              ///< of the boot in which it was started

  bool operator==(const Record&) const = default;
};

/// The names of all the secrets that it sees.
std::set<std::string> secret_names(const Record& record);

Json to_json(const Record& record);
Record parse_record(const Json& json);

/// How an instance ended: the file `exit`, which the shim writes, or control for a shim that was killed.
struct Ending {
  std::optional<Exit> exit;
  std::string failure;
  std::optional<Instant> executed;
  std::uint64_t memory_kills = 0;  ///< as the control groups say, not the file

  bool operator==(const Ending&) const = default;
};

std::string text(const Ending& ending);
Ending parse_ending(std::string_view text);

/// Where the processes of an instance are found: the file `tree`, there from just before its program is
/// executed.
struct Tree {
  enum Kind : std::uint8_t { pid_namespace, session };
  Kind kind = pid_namespace;
  std::uint64_t number = 0;  ///< inode of the namespace, or id of the session
  Instant started;
  std::vector<std::uint64_t> pipes;  ///< of a session: inodes of the pipes that take its output

  bool operator==(const Tree&) const = default;
};

Tree parse_tree(std::string_view text);

/// The directory of one instance, run/i/<id>: the names in it and what they hold (docs/formats/shim.md).
class InstanceDir {
 public:
  explicit InstanceDir(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path socket() const { return path_ / "sock"; }

  void write(const Record& record) const;
  void write(const Ending& ending) const;
  std::optional<Record> record() const;
  std::optional<Ending> ending() const;
  std::optional<Tree> tree() const;

  /// The lock, taken: whoever inherits it holds it too. Throws `conflict` if somebody has it.
  Fd take_lock() const;
  /// Whether a shim lives, or is being born. False if there is no lock yet.
  bool is_locked() const;

  /// Vanishes at one instant, whatever is in it; a crash leaves at most a name that begins with a dot.
  void remove() const;

 private:
  void replace(const char* name, const std::string& content) const;

  std::filesystem::path path_;
};

}  // namespace holdall::engine
