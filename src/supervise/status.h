#pragma once

#include "supervise/rows.h"
#include "supervise/supervise.h"
#include "supervise/watch.h"

namespace holdall::supervise {

/// Where a try is reached: what the engine says, or on our own machine at the port it was given.
net::Address address_of(const Try& row, const engine::Instance* seen);

/// `watch` and `seen` may be null: it has ended, or the engine does not show it.
InstanceStatus status_of(const Group& group, const Try& row, const Watch* watch,
                         const engine::Instance* seen);

/// Of an instance that nobody wants any more.
InstanceStatus status_of_stopping(const Group& group, const engine::Instance& seen);

}  // namespace holdall::supervise
