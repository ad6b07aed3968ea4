#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/time.h"
#include "kit/database.h"
#include "kit/health.h"
#include "kit/settings.h"
#include "kit/web.h"
#include "net/client.h"
#include "net/server.h"
#include "store/store.h"

/// What any cloud service needs and is the same in all of them: configuration from the environment, JSON
/// logs, health endpoints, request ids, secrets, a graceful end. docs/kit.md has a whole service of 60 lines;
/// `run` below is the place to begin at.
namespace holdall::kit {

struct ServeOptions {
  std::size_t threads = 16;  ///< handlers that run at once; started as they are needed
  std::size_t queued = 256;  ///< requests that wait for one; beyond it 503
  std::uint64_t largest_body = std::uint64_t{16} << 20;
};

/// The process that a command runs in. Thread-safe but for `health`'s `add`, which comes before `serve`.
class Service {
 public:
  virtual ~Service() = default;

  /// What followed the command's name.
  virtual const std::vector<std::string>& arguments() const = 0;

  /// The checks that /__heartbeat__ runs.
  virtual Health& health() = 0;

  /// Serves `routes` and Dockerflow's three at $HOST and $PORT, with a `request.summary` line for each
  /// request, until SIGTERM or SIGINT. Then it accepts no more, answers what has come, within $STOP_TIMEOUT,
  /// and returns main's exit code: 0, or 1 when requests had to be cut off.
  virtual int serve(std::vector<net::Route> routes, const ServeOptions& options = {}) = 0;

  /// Waits, at most until SIGTERM or SIGINT; false once that has come:
  ///
  ///     do look(); while (service.wait(10s));
  virtual bool wait(std::chrono::nanoseconds span) = 0;
  virtual std::stop_token stopping() const = 0;
};

/// A subcommand: a row of `run`'s table. `run` returns the exit code; what it throws is logged and becomes
/// one (base/error.h).
class Command {
 public:
  Command(std::string_view name, std::string_view help, int (*run)(Service&));

  /// One with settings of its own, which are read, all of them, before it begins.
  template <typename T, std::size_t N>
  Command(std::string_view name, std::string_view help, int (*run)(Service&, const T&),
          const Setting<T> (&settings)[N])
      : name_(name), help_(help), rows_(setting_rows(std::span<const Setting<T>>(settings))) {
    prepare_ = [run, &settings](std::vector<Problem>& problems) -> Prepared {
      auto read = std::make_shared<const T>(read_settings(std::span<const Setting<T>>(settings), problems));
      return [run, read](Service& service) { return run(service, *read); };
    };
  }

  const std::string& name() const { return name_; }
  const std::string& help() const { return help_; }
  const std::vector<SettingRow>& settings() const { return rows_; }

  using Prepared = std::function<int(Service&)>;
  Prepared prepare(std::vector<Problem>& problems) const { return prepare_(problems); }

 private:
  std::string name_, help_;
  std::vector<SettingRow> rows_;
  std::function<Prepared(std::vector<Problem>&)> prepare_;
};

struct Options {
  /// What /__version__ says where there is no version.json in the working directory: a JSON object.
  std::string version = {};
};

/// The whole of a service's `main`: finds the command that the first argument names, reads its settings, runs
/// it, and returns the exit code. Without a command, or with one that is not in the table, it lists them on
/// stderr and returns 2; `--help` lists them, and `COMMAND --help` its settings, on stdout. All that is wrong
/// with the settings is told at once, and returns 2. An exception that nobody caught is logged before it ends
/// the process.
int run(std::string_view program, const std::vector<Command>& commands, int argc, char** argv,
        const Options& options = {});

/// The `request.summary` line of a request: what net::ServerOptions::record is for.
void log_request(const net::RequestRecord& record);

}  // namespace holdall::kit
