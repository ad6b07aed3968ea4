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
  void look_again(const GroupId& group);
  void let_go(const InstanceId& instance);

  /// Looks at the engine; to be called when its descriptor is readable.
  void observe();

  /// Does what is due; returns when something will be next.
  Instant step();

  std::vector<Group> wanted() const;
  std::set<GroupId> present() const;  ///< wanted, or with instances that are being stopped
  std::uint64_t groups_changed() const { return groups_changed_; }  ///< how often one of the two above has
  std::vector<InstanceStatus> statuses() const;                     ///< in the order of a Snapshot
  std::vector<Leaving> leaving() const;

 private:
  struct Slot {
    Try row;
    std::optional<Watch> watch;  ///< of a try that has not ended
    bool started = false;        ///< the engine has shown it: if it does no longer, it is lost
  };
  /// Where a try stands: which slot's, and what it is to it.
  struct At {
    int slot = 1;
    Place place = Place::current;
    auto operator<=>(const At&) const = default;
  };
  struct Supervised {
    Group group;
    bool wanted = true;
    bool closely = true;
    std::map<At, Slot> tries;
    std::map<InstanceId, engine::Instance> observed;
    std::optional<Instant> apply_at;  ///< the engine is to be told which members there are
  };
  using Tries = std::map<Place, Try>;  ///< of one slot
  struct Change {
    Supervised& in;
    int slot;
    Tries tries;  ///< all that the slot is to have
  };

  void adopt(GroupRow row);
  void take_verdicts(Instant now);
  void look_at_watches(Instant now);
  std::vector<engine::Listener> listeners(const InstanceId& id) const;

  // What becomes of tries: reconciler_settle.cc.
  void settle(Instant now);
  Tries tries_of(const Supervised& in, int slot) const;
  Tries settled(const Supervised& in, int slot, Instant now);
  void settle_replacement(const Supervised& in, const Slot& slot, Tries& tries, Instant now) const;
  void settle_current(const Supervised& in, const Slot& slot, Tries& tries, Instant now);
  void settle_health(const Supervised& in, const Slot& slot, Tries& tries, Instant now);
  bool has_ended(const Supervised& in, const Slot& slot) const;
  Try ended(const Supervised& in, const Slot& slot, Instant now) const;
  Try first_try(const Group& group, int slot, Instant now);
  Try next_try(const Supervised& in, const Try& last, Instant now);
  std::uint16_t free_port();
  void put(const char* point, std::vector<Change>& changes, Instant now);
  void take_over(Change& change, Instant now);

  void apply(Supervised& in, Instant now);
  void remove_strays();
  void forget_gone();
  void start_probes(Instant now);
  Instant due(Instant now) const;

  const engine::Instance* seen(const Supervised& in, const Slot& slot) const;
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
