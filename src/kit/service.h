#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/tasks.h"
#include "kit/kit.h"
#include "net/address.h"

namespace holdall::kit {

/// What every command of every service reads from its environment.
struct Common {
  std::string host, log_level, log_format, silenced;
  std::int64_t port = 0, failed_status = 0;
  std::chrono::milliseconds stop_timeout{0};
  bool heartbeat_details = true;
};
extern const std::span<const Setting<Common>> kCommon;

/// Reads it, and sees to what a type alone does not say.
Common read_common(std::vector<Problem>& problems);

/// SIGTERM and SIGINT as a stop token: they are blocked from construction on, in this thread and those that
/// it starts. A process that has not ended some time after the signal is ended: what hangs must not keep it.
class Signals {
 public:
  explicit Signals(std::chrono::nanoseconds patience);
  ~Signals();
  Signals(const Signals&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  /// From now on the command has done its work, and would end with this code.
  void settle(int code) { code_ = code; }

 private:
  void watch();

  const std::chrono::nanoseconds patience_;
  std::stop_source source_;
  std::atomic<int> code_{1};
  Fd signals_, ended_;
  TaskGroup watcher_;
};

/// Service as a command sees it.
class Running final : public Service {
 public:
  Running(const Common& common, std::string version, std::vector<std::string> arguments, Signals& signals);

  const std::vector<std::string>& arguments() const override { return arguments_; }
  Health& health() override { return health_; }
  int serve(std::vector<net::Route> routes, const ServeOptions& options) override;
  bool wait(std::chrono::nanoseconds span) override;
  std::stop_token stopping() const override { return signals_.token(); }

 private:
  const Common common_;
  const std::string version_;
  const std::vector<std::string> arguments_;
  Signals& signals_;
  Health health_;
};

}  // namespace holdall::kit
