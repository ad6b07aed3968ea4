#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "net/address.h"

namespace holdall::serve {

/// The parent of everything: small, single-threaded, reads no outside input. It starts control and router and
/// starts them again when they end, and keeps what must outlive them: public sockets, the last route table, a
/// read end of each instance's output pipes, the router's log pipe (spliced into files).
/// docs/formats/processes.md has its messages.
struct ParentOptions {
  std::filesystem::path state, run;
  std::vector<std::string> control_argv, router_argv;  ///< executed from this binary
  std::uint64_t request_log_bytes = 64ull << 20;       ///< a file of request lines; the last 4 are kept
  std::string version = {};                            ///< of this binary, for people

  // An upgrade (docs/upgrade.md). Without `argv` there is none: SIGHUP is nothing.
  std::vector<std::string> argv = {};  ///< this process's own
  std::filesystem::path program = {};  ///< where the next version of this binary is put
  /// What is added to `argv` to ask a binary what it would start: it prints `to_json` of its options.
  std::vector<std::string> ask_argv = {};
};
Json to_json(const ParentOptions& options);
ParentOptions parse_options(const Json& json);  ///< throws `invalid`; another handover protocol's, too

/// Until SIGTERM or SIGINT (or control's `exit` message): then control gets SIGTERM and 10 s, the router
/// SIGTERM and 6 s, and 0 comes back. Instances run on. A control that exits with an error before it has
/// asked anything cannot run here: its code comes back. Throws `busy`, naming the process, if the state
/// directory has a serve already. Changes the calling process (signals, limits, a subreaper): it must have no
/// other threads. On SIGHUP the binary at `program` takes over: its control and router replace ours, and at
/// last it is executed in our place, where it is to call `take_over`. If its control or router are not ready
/// in 10 s, everything goes back to ours. What became of it is in `upgrade.json` of the run directory.
int parent_main(const ParentOptions& options);

/// If this process is serve's next image: goes on where it was, as `parent_main`, and gives its code.
std::optional<int> take_over();

/// Control's end of its parent: descriptor 3 of the control process. Thread-safe; every call is one round
/// trip, and throws `missing` once the parent is gone.
class ParentLink {
 public:
  explicit ParentLink(Fd socket);
  ~ParentLink();

  /// `conflict` if the address is in use; the same again: nothing.
  void bind(const std::string& name, const net::Address& address);
  void keep_only(const std::vector<std::string>& names);
  void keep_table(const Fd& sealed_memfd);
  void keep_output(const std::string& instance, const Fd& out, const Fd& err);
  std::optional<std::pair<Fd, Fd>> take_output(const std::string& instance);
  void drop_output(const std::string& instance);
  /// This control can do its work: API and instances are in its hands.
  void ready();
  /// What serve has told of routers since the last call; never waits.
  struct RouterNews {
    std::vector<Fd> links;              ///< sockets to routers, the oldest first
    std::map<std::string, Fd> counted;  ///< epoch -> the last counters of a router that retired, a memfd
  };
  RouterNews router_news();
  int news_descriptor() const;  ///< polls readable when there is news of routers, or the parent is gone
  /// Asks the parent to stop everything and exit: the end of `up`'s private serve.
  void exit();
  /// True once the parent is gone: control then ends too, and the next serve starts another.
  bool gone() const;
  int descriptor() const;  ///< polls readable for nothing but the parent's end

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdall::serve
