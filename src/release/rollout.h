#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "app/app.h"
#include "release/context.h"
#include "release/fault.h"
#include "release/resolve.h"
#include "release/rows.h"

namespace holdall::release {

/// One release on its way to `live` or `failed`, in the thread that calls `run`. Each step reads what is
/// recorded and what is observed, commits what it is about to do, and does it; so a release that a crash
/// interrupted goes on with the same code, in the step that its row names.
class Rollout {
 public:
  /// `context` outlives it.
  Rollout(const Context& context, std::string app, int number);

  /// Until the release is final, or `stop`: then it is left where it is.
  void run(const std::stop_token& stop);

 private:
  using Work = std::function<void(store::Transaction&)>;

  // The steps (rollout_steps.cc). Each returns when the row is in another step, somebody else moved it (a
  // cancel), or `stop_` was requested.
  void do_step();
  void run_commands();  // rollout_command.cc
  void start();
  void switch_over();
  void drain();
  void watch();
  void stop_old();
  void revert();

  // Parts of steps.
  bool run_command(const app::Service& service, const supervise::Group& group);
  void tell_output(const std::string& instance, std::vector<std::string> lines, int& seen);
  std::vector<std::pair<std::string, supervise::Group>> command_groups() const;
  std::vector<GroupId> command_group_ids() const;
  ResolveFor resolve_for(const std::string& service) const;
  void want_what_may_start(const supervise::Snapshot& snapshot);
  bool may_start(const app::Service& service, const supervise::Snapshot& snapshot) const;
  void tell_ready(const supervise::Snapshot& snapshot);
  bool all_settled(const supervise::Snapshot& snapshot) const;
  bool stands_until(const std::function<bool(const supervise::Snapshot&)>& done, Instant at_most);
  void begin_revert(const std::string& reason, const supervise::InstanceStatus* cause);
  std::chrono::nanoseconds monitor() const;

  // What the steps look at.
  std::optional<Fault> fault_in(const supervise::Snapshot& snapshot);
  std::vector<supervise::InstanceStatus> fresh_of(const std::string& service,
                                                  const supervise::Snapshot& snapshot) const;
  int kept_replicas(const std::string& service) const;
  std::vector<InstanceId> above(const std::map<std::string, int>& most,
                                const supervise::Snapshot& snapshot) const;
  bool shrink(const char* point, const std::map<std::string, int>& to);
  bool overtaken() const;

  // What the steps end with (rollout.cc).
  void load();
  bool move_to(const Row& next, const Work& also = nullptr);
  bool move_and_publish(const Row& next, const std::string& publish, const Work& also = nullptr);
  Work moving_to(const Row& next, const Work& also, bool& moved);
  void tell(std::string kind, Json data);
  void commit_untold();
  void pause(const supervise::Snapshot& seen, Instant at_most = Instant::max()) const;
  void forget_unneeded() const;

  const Context& context_;
  const std::string name_;
  const int number_;
  std::stop_token stop_;

  Row row_;
  app::App app_;
  std::optional<app::App> old_app_;    ///< of the release that served when this one began
  std::vector<std::string> fresh_;     ///< services of which this release starts instances, in order
  std::map<std::string, int> grown_;   ///< of them, those whose group is kept -> the replicas that it had
  std::map<std::string, int> shrunk_;  ///< services whose group is kept -> the replicas that stay of it
  std::vector<GroupId> replaced_;      ///< the old release's groups that this one does not keep
  std::map<std::pair<GroupId, int>, InstanceId>
      first_tries_;               ///< of each slot of a new group, as far as seen
  std::set<std::string> wanted_;  ///< services that `start` wanted
  std::set<std::string> told_;    ///< services told as started, instances told as ready, commands told as run
  std::map<std::string, int> lines_told_;  ///< of each instance's output
  std::vector<Event> untold_;              ///< go with the next commit
  std::chrono::nanoseconds publish_took_{0};
};

}  // namespace holdall::release
