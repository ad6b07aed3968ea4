#include "supervise/status.h"

namespace holdall::supervise {

net::Address address_of(const Try& row, const engine::Instance* seen) {
  if (seen && seen->address != net::Address()) return seen->address;
  if (row.port == 0) return {};
  return {.host = "127.0.0.1", .port = row.port, .path = ""};
}

InstanceStatus status_of(const Group& group, const Try& row, const Watch* watch,
                         const engine::Instance* seen) {
  InstanceStatus status{.id = row.id, .group = group.id, .address = address_of(row, seen)};
  status.app = group.workload.app;
  status.service = group.workload.service;
  status.slot = row.slot;
  status.restarts = row.restarts;
  status.health = row.state;
  status.reason = row.reason;
  status.exit = row.exit;
  status.restart_at = row.restart_at;
  if (seen) status.executed = seen->executed;
  if (row.state == Health::ready) status.ready_since = row.since;
  if (row.state == Health::unready) status.unready_since = row.since;
  if (watch) {
    status.confirmed = row.state != Health::ready || watch->confirmed();
    status.accepted = watch->accepted_at();
    status.wrong_listener = watch->wrong_listener();
    // Until it has said something of its own, why the try before it ended is the reason that it is not ready.
    if (row.state == Health::starting && !watch->reason().empty()) status.reason = watch->reason();
  }
  return status;
}

InstanceStatus status_of_stopping(const Group& group, const engine::Instance& seen) {
  InstanceStatus status{.id = seen.id, .group = group.id, .address = seen.address};
  status.app = group.workload.app;
  status.service = group.workload.service;
  status.slot = seen.slot;
  status.health = Health::stopping;
  status.exit = seen.exit;
  status.executed = seen.executed;
  return status;
}

}  // namespace holdall::supervise
