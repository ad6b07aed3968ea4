#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/subprocess.h"
#include "base/time.h"
#include "serve/child.h"
#include "serve/kept.h"
#include "serve/request_log.h"
#include "serve/serve.h"
#include "serve/systemd.h"

namespace holdall::serve {

// Control finishes its handlers; the router takes a second's leave, gives running requests 5 s and needs a
// moment beyond them.
constexpr auto kControlGrace = std::chrono::seconds(10), kRouterGrace = std::chrono::seconds(7);

/// The loop of the parent process. parent.cc starts, hears and stops its children; upgrade.cc puts those of
/// another binary in their place and hands over to it.
class Parent {
 public:
  Parent(const ParentOptions& options, Fd lock);
  /// The next image of a parent: goes on with what that one has `passed`.
  explicit Parent(const Json& passed);

  int run();

 private:
  struct Retiring {
    Child router;
    Deadline killed_at;  ///< never, for one that may take its time
  };
  enum class Stage : std::uint8_t { running, stopping_control, stopping_router, stopped };
  /// Of an upgrade, in order; then those of a way back.
  enum class Step : std::uint8_t {
    none,
    asking,            ///< the new binary is asked what it would start
    stopping_control,  ///< ours has been told to end
    starting_control,  ///< the new binary's is not ready yet
    starting_router,   ///< nor its router; ours serves on
    ending_control,    ///< the new binary's has been killed
    restoring_control,
    restoring_router,
  };

  // parent.cc
  void start_what_is_due();
  void start_router(Child& router);
  void start_control();
  void link(Child& router);
  void wait();
  Deadline next_deadline() const;
  void pass_deadlines();
  void read_signals();
  void reap();
  void control_ended(const Exit& exit);
  void router_ended(pid_t pid, const Exit& exit);
  void answer_control();
  void hear_router(Child& router);
  void control_is_ready();
  void stop_asked();
  bool advance_stop();
  void for_each_router(const std::function<void(Child&)>& call);

  // upgrade.cc
  Json passed() const;
  void upgrade_asked();
  void ask();
  void asked(const Exit& exit);
  void replace_control();
  void start_next_control();
  void start_next_router();
  void router_is_ready(Child& router, std::string epoch);
  void retire_router();
  void hand_over();
  void step_took_too_long();
  void go_back(const std::string& reason);
  void restore_control();
  void control_is_restored();
  void upgrade_over(const std::string& failure);
  void give_up_upgrade();

  ParentOptions options_;
  const Fd lock_;
  const Systemd systemd_;
  const Fd signals_;
  Child control_, router_;
  Kept kept_;
  RequestLog log_;

  std::string router_epoch_;               ///< empty until it is ready
  std::deque<std::string> epochs_before_;  ///< of the routers that it and those before it replaced
  std::deque<Retiring> retiring_;          ///< the oldest first

  Step step_ = Step::none;
  Deadline step_until_ = Deadline::never();
  bool again_ = false;      ///< asked for while another one was under way
  std::int64_t begun_ = 0;  ///< boottime, ns
  pid_t asked_pid_ = 0;
  Fd asked_out_, asked_err_;
  Child::Program program_;  ///< the new binary
  ParentOptions next_;      ///< what it is to run with
  std::optional<Child> next_router_;
  bool router_is_new_ = false;  ///< router_ is the new binary's
  std::string failure_;

  bool told_ready_ = false;         ///< the service manager
  bool control_has_asked_ = false;  ///< at least once, so it can run here
  int exit_code_ = 0;
  Stage stage_ = Stage::running;
  Deadline patience_ = Deadline::never();    ///< with the child that is being stopped
  Deadline deaf_until_ = Deadline::never();  ///< a control that has closed its socket is killed then
};

/// A signalfd of those that `Parent` reads, blocked for everything else.
Fd make_signals();

/// What Parent::hand_over left for this image; nothing if this process is no serve's next image.
std::optional<Json> handed_over();

}  // namespace holdall::serve
