#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"
#include "supervise/supervise.h"

namespace holdall::supervise {

/// One try at running a slot, as the table `instances` keeps it.
struct Try {
  InstanceId id;
  int slot = 1;
  std::uint16_t port = 0;
  int restarts = 0;  ///< tries before this one
  int streak = 0;    ///< of them, just before this one, those that ended soon after their start
  Health state = Health::starting;  ///< never `stopping`, which is the group's
  Instant since;                    ///< when this state began
  std::optional<Instant> restart_at;
  std::optional<Exit> exit;  ///< of the newest try that ended
  std::string reason;
  Instant made_at;
  bool this_boot = true;  ///< its instants mean something

  bool ended() const {
    return state == Health::waiting || state == Health::completed || state == Health::failed;
  }
};

struct GroupRow {
  Group group;
  bool wanted = true;
  bool closely = true;
  std::vector<Try> tries;  ///< by slot, one each
};

std::vector<GroupRow> load_groups(store::Database& database);

void insert_group(store::Transaction& transaction, const GroupRow& row, const Clock& clock);
/// The group has another number of replicas: the tries of slots above it go, `fresh` come.
void resize_group(store::Transaction& transaction, const Group& group, const std::vector<Try>& fresh);
void set_unwanted(store::Transaction& transaction, const GroupId& group);
void set_closely(store::Transaction& transaction, const GroupId& group, bool closely);
void delete_group(store::Transaction& transaction, const GroupId& group);  ///< with its tries

/// Puts `row` in the place of the slot's row: the same try in another state, or the next one.
void put_try(store::Transaction& transaction, const Group& group, const Try& row);

}  // namespace holdall::supervise
