#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "supervise/prober.h"
#include "supervise/rows.h"
#include "supervise/supervise.h"
#include "supervise/watch.h"

namespace holdall::supervise {

/// Brings what is observed towards what is wanted, a step at a time. Everything that must outlive a crash is
/// committed before it is acted upon, so that a new Reconciler over the same rows goes on where the last one
/// was. Knows no threads and no sockets: one thread calls it, whenever something happened or `step`'s instant
/// has come.
class Reconciler {
 public:
  /// Told the name of every commit and act, before and after it: "supervise.start.commit.before".
  using Point = std::function<void(const std::string&)>;

  /// Adopts what runs. All outlive it.
  Reconciler(engine::Engine& engine, store::Database& database, const Clock& clock, Prober& prober,
             Point point);

  // As in Supervisor. What they change is acted upon by the next `step`.
  void want(const Group& group);
  void unwant(const GroupId& group);
  void resize(const GroupId& group, int replicas);
  void watch_closely(const GroupId& group, bool closely);

  /// Looks at the engine; to be called when its descriptor is readable.
  void observe();

  /// Does what is due; returns when something will be next.
  Instant step();

  std::vector<Group> wanted() const;
  std::set<GroupId> present() const;  ///< wanted, or with instances that are being stopped
  std::uint64_t groups_changed() const { return groups_changed_; }  ///< how often one of the two above has
  std::vector<InstanceStatus> statuses() const;                     ///< in the order of a Snapshot

 private:
  struct Slot {
    Try row;
    std::optional<Watch> watch;  ///< of a try that has not ended
    bool started = false;        ///< the engine has shown it: if it does no longer, it is lost
  };
  struct Supervised {
    Group group;
    bool wanted = true;
    bool closely = true;
    std::map<int, Slot> slots;
    std::map<InstanceId, engine::Instance> observed;
    std::optional<Instant> apply_at;  ///< the engine is to be told which members there are
  };
  struct Change {
    Supervised& in;
    Try row;
  };

  void adopt(GroupRow row);
  void take_verdicts(Instant now);
  void look_at_watches(Instant now);
  std::vector<engine::Listener> listeners(const InstanceId& id) const;
  void settle(Instant now);
  Try first_try(const Group& group, int slot, Instant now);
  std::optional<Try> settled(const Supervised& in, const Slot& slot, Instant now);
  Try ended(const Supervised& in, const Slot& slot, Instant now) const;
  Try next_try(const Supervised& in, const Try& last, Instant now);
  std::uint16_t free_port();
  void put(const char* point, std::vector<Change>& changes, Instant now);
  void apply(Supervised& in, Instant now);
  void remove_strays();
  void forget_gone();
  void start_probes(Instant now);
  Instant due(Instant now) const;

  void act(const std::string& point, const std::function<void()>& work) const;
  void commit(const std::string& point, const std::function<void(store::Transaction&)>& work) const;
  void put_off(Instant now, const Error& error);

  engine::Engine& engine_;
  store::Database& database_;
  const Clock& clock_;
  Prober& prober_;
  const Point point_;
  std::map<GroupId, Supervised> groups_;
  std::set<GroupId> strays_;          ///< observed, and nobody's
  std::vector<std::uint16_t> given_;  ///< ports of tries that are not in `groups_` yet
  std::uint64_t groups_changed_ = 0;
  std::optional<Instant> again_at_;  ///< something could not be done, or something new came up
};

}  // namespace holdall::supervise
