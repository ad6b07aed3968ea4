#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/id.h"
#include "base/json.h"
#include "base/time.h"

namespace holdall::wire {

// ---- who speaks ----

/// What this binary is; the same facts in `holdall version` and `/__version__`.
struct Build {
  std::string version;  ///< "0.1.0"
  std::string commit;   ///< of the source tree, or "unknown" outside a checkout
  std::string date;     ///< of that commit: "2026-11-21"; empty outside a checkout
  std::string source;   ///< where that source is published
  std::string build;    ///< compiler and kind of build
};
const Build& build();
Json to_json(const Build& build);

inline constexpr std::string_view kClientHeader = "Holdall-Client";
inline constexpr std::string_view kServerHeader = "Holdall-Server";

/// Throws `invalid` with the remedy unless both versions speak the same API: equal major number, and while
/// that is 0, equal minor number. `theirs` empty (a plain HTTP client) is no error.
void check_versions(std::string_view client, std::string_view server);

// ---- what is asked and answered (docs/formats/api.md) ----

/// The body of `POST /v1/apps/*/plan` and `.../releases`.
struct DeployRequest {
  Json model;                                    ///< normalised
  std::map<std::string, std::string> artefacts;  ///< service -> digest of its artefact
  std::map<std::string, std::string> places;     ///< "services.web.environment.MOOD" -> "compose.yaml:14"
  std::string sealed;  ///< the text of the project's sealed file; empty: nothing is sealed
  std::string commit;
  std::string environment;  ///< "staging", as HOLDALL_ENV says it; empty: the unnamed one
  bool development = false;
  bool force = false;
  Json variables;                ///< how values follow from variables (docs/formats/api.md); null: not told
  bool release_commands = true;  ///< false: another server of the same release has run them

  bool operator==(const DeployRequest&) const = default;
};
Json to_json(const DeployRequest& request);
DeployRequest parse_deploy_request(const Json& json);  ///< throws `invalid`

/// One instance as `ps` and `status` show it.
struct Instance {
  std::string id, service, release;  ///< release: "v3"
  int slot = 0;
  int restarts = 0;
  std::string health;            ///< starting, ready, unready, waiting, completed, failed, stopping
  std::string address;           ///< "127.0.0.1:41873"; empty: it has none
  std::string reason;            ///< why it is not ready; empty when it is
  std::string command;           ///< its argv, for people
  int exit_code = 0;             ///< of the newest try that ended; 128 + the signal's number if one killed it
  std::int64_t running_ms = -1;  ///< since it was executed; -1: it does not run

  bool operator==(const Instance&) const = default;
};
Json to_json(const Instance& instance);
Instance parse_instance(const Json& json);

/// One line that an instance said.
struct LogLine {
  std::string service, instance, stream;  ///< stream: "stdout" or "stderr"
  int slot = 0;
  WallTime time;
  std::uint64_t next = 0;  ///< offset in the stream after this line: where reading goes on
  std::string text;
  bool operator==(const LogLine&) const = default;
};
Json to_json(const LogLine& line);
LogLine parse_log_line(const Json& json);

/// `text` as one segment of a path or one value of a query: all but unreserved characters percent-encoded.
std::string percent_encode(std::string_view text);

// ---- the archive that carries a build context (docs/formats/tree-archive.md) ----

/// A directory tree as one file: the same tree gives the same bytes, so that their digest names the source.
struct PackedTree {
  Fd file;  ///< an unlinked temporary file, at offset 0
  Digest digest;
  std::uint64_t bytes = 0;
  std::size_t files = 0;  ///< links among them, directories not
};

/// Packs `paths` (relative, '/' between; files, links and directories) of `root`; parents that are not listed
/// are added. Throws `invalid` naming what cannot travel (a socket, a link that leaves the tree), `busy` if a
/// file changed under it.
PackedTree pack_tree(const std::filesystem::path& root, const std::vector<std::string>& paths);

/// What a reader meets in an archive, in its order: parents before what is in them.
class TreeSink {
 public:
  virtual ~TreeSink() = default;
  virtual void directory(const std::string& path) = 0;
  virtual void link(const std::string& path, const std::string& target) = 0;
  virtual void file(const std::string& path, bool executable, std::uint64_t size) = 0;
  virtual void content(std::string_view bytes) = 0;  ///< of the last file, piece by piece
};

/// Reads an archive in whatever pieces it comes and trusts nothing in it: paths are relative, sorted, without
/// "..", below a directory that came before; links do not leave the tree. Throws `invalid` with the reason.
class TreeReader {
 public:
  explicit TreeReader(TreeSink& sink);
  ~TreeReader();
  void feed(std::string_view bytes);
  void finish();  ///< throws `invalid` unless the archive was whole

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Makes the tree of the archive in `file` (read from its beginning) in `directory`, which is there and
/// empty. Throws `invalid` if the archive is not well-formed or its digest is another; what was made by then
/// stays.
void unpack_tree(const Fd& file, const std::filesystem::path& directory, const Digest& digest);

// ---- a program that somebody attends (docs/formats/terminal.md) ----

/// What a connection speaks once its `exec` or `run` was answered with 101.
inline constexpr std::string_view kTerminalProtocol = "holdall-terminal/1";

struct WindowSize {
  std::uint16_t columns = 80, rows = 24;
  bool operator==(const WindowSize&) const = default;
};

/// The body of `POST /v1/apps/*/exec` and `.../run`.
struct ProgramRequest {
  std::string service;
  int index = 0;                                       ///< of exec: which instance; 0: the first that runs
  std::vector<std::string> command;                    ///< of run, none: the service's own
  std::optional<std::vector<std::string>> entrypoint;  ///< of run: in the place of the service's own
  std::map<std::string, std::string> environment;
  std::string working_dir, user;
  bool detach = false;
  std::optional<WindowSize> terminal;  ///< it gets one of this size; nothing: pipes
};
Json to_json(const ProgramRequest& request);
ProgramRequest parse_program_request(const Json& json);

/// One message of that protocol, either way.
struct Frame {
  enum Kind : char {
    // from the client
    input = 'i',
    input_end = 'e',
    window = 'w',  ///< columns and rows, 16 bits each, the higher byte first
    signal = 's',  ///< one byte: its number on Linux
    // from the server
    output = 'o',
    error_output = 'r',
    exit = 'x',     ///< the last: the program's code in decimal digits
    failure = 'f',  ///< the last: why there is none, for people
    // either
    alive = 'a',
  };
  Kind kind = alive;
  std::string data;
  bool operator==(const Frame&) const = default;
};

std::string frame(Frame::Kind kind, std::string_view data = {});
std::string window_data(WindowSize size);
/// Throws `invalid`.
WindowSize parse_window(std::string_view data);

/// The most that one message carries.
inline constexpr std::size_t kLargestFrame = 64 << 10;

/// Messages out of a connection's bytes, in whatever pieces they come.
class FrameReader {
 public:
  void feed(std::string_view bytes) { bytes_ += bytes; }
  /// The next one that is whole. Throws `invalid` if one is larger than the protocol allows.
  std::optional<Frame> next();

 private:
  std::string bytes_;
  std::size_t used_ = 0;
};

}  // namespace holdall::wire
