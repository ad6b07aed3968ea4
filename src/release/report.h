#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "base/time.h"
#include "release/release.h"
#include "release/rows.h"
#include "router/router.h"
#include "supervise/supervise.h"

namespace holdall::release {

// The report of a release grows in its row while it runs (docs/formats/release-report.md). Beside what people
// read, the member `marks` holds what the release itself must know again after a crash; `public_report`
// leaves it out.

/// When `deploy` was called: what overhead counts from.
Json new_report(Instant accepted);
Json public_report(Json report);

/// The row as it will be in step `next` from now on, with the phase that ends now in its report.
Row row_in(const Row& row, Step next, const Clock& clock);

/// How long a phase that has ended took; null when it has not, or ran through a reboot.
Json phase_ms(const Json& report, std::string_view phase);

/// One new instance passed its gate.
Json instance_entry(const supervise::InstanceStatus& instance);
void add_instance(Json& report, const supervise::InstanceStatus& instance);

/// The new table goes out next: `before` is what the router has counted until now. From here on
/// `has_switched`.
void set_switching(Json& report, const std::optional<router::Counters>& before);
bool has_switched(const Json& report);

/// The new table is out since `live`, its publish took `publish`: start, switch and overhead.
void set_live(Json& report, Instant live, std::chrono::nanoseconds publish);

/// The instant of `set_live`; nothing before it, or when it belongs to another boot and means nothing now.
std::optional<Instant> switched_at(const Json& report);

void set_drain(Json& report, const router::Router::Drained& drained, std::chrono::nanoseconds span);

/// What the router counted since `set_switching`, for `app` only.
void set_requests(Json& report, const std::string& app, const std::optional<router::Counters>& now);

/// The instance that made the release fail.
void set_culprit(Json& report, const supervise::InstanceStatus& instance);
const Json* culprit(const Json& report);

/// A span as the formats have it: milliseconds, to the microsecond.
Json in_ms(std::chrono::nanoseconds span);

}  // namespace holdall::release
