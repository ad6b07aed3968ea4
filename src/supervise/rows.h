#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"
#include "supervise/supervise.h"

namespace holdall::supervise {

/// What a try is to its slot. There is at most one of each.
enum class Place : std::uint8_t {
  current,      ///< it runs the slot
  replacement,  ///< it takes that place as soon as it is ready, if the current one is not again by then
  leaving,      ///< its place was taken: it finishes what it has until `restart_at`, then it is stopped
};

/// One try at running a slot, as the table `instances` keeps it.
struct Try {
  InstanceId id;
  int slot = 1;
  Place place = Place::current;
  std::uint16_t port = 0;
  int restarts = 0;  ///< tries before this one
  int streak = 0;    ///< of them, just before this one, those that ended soon after their start
  Health state = Health::starting;    ///< never `stopping`, which is the group's
  Instant since;                      ///< when this state began
  std::optional<Instant> restart_at;  ///< of waiting, of unready and of leaving: when the next step is due
  std::optional<Exit> exit;           ///< of the newest try that ended
  std::string reason;
  Instant made_at;
  bool this_boot = true;  ///< its instants mean something

  bool operator==(const Try&) const = default;

  bool ended() const {
    return state == Health::waiting || state == Health::completed || state == Health::failed;
  }
};

struct GroupRow {
  Group group;
  bool wanted = true;
  bool closely = true;
  std::vector<Try> tries;  ///< by slot, then place
};

std::vector<GroupRow> load_groups(store::Database& database);

void insert_group(store::Transaction& transaction, const GroupRow& row, const Clock& clock);
/// The group has another number of replicas: the tries of slots above it go, `fresh` come.
void resize_group(store::Transaction& transaction, const Group& group, const std::vector<Try>& fresh);
void set_unwanted(store::Transaction& transaction, const GroupId& group);
void set_closely(store::Transaction& transaction, const GroupId& group, bool closely);
void delete_group(store::Transaction& transaction, const GroupId& group);  ///< with its tries

/// Empties places of slots; then `put_try` fills them: with the same try in another state, or another one.
void clear_place(store::Transaction& transaction, const GroupId& group, int slot, Place place);
void put_try(store::Transaction& transaction, const Group& group, const Try& row);

}  // namespace holdall::supervise
