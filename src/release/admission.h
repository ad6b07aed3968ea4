#pragma once

#include <optional>

#include "app/app.h"
#include "release/context.h"
#include "release/rows.h"

namespace holdall::release {

/// A wish for a release, before it has a number.
struct Wish {
  Request request;
  std::optional<int> rollback_of;
  Instant accepted;       ///< when the caller asked
  std::optional<int> of;  ///< the release whose request it is, changed: the one that has to serve still
};

/// What came of a wish.
struct Admitted {
  Row row;
  bool fresh = false;  ///< it was made now; else the wish's key names one that is there
};

/// Checks the wish and commits the release in step `planned`, its plan told. Nothing if it would change
/// nothing and is neither forced nor a rollback. Throws as `Releases::deploy` does, and changes nothing then.
std::optional<Admitted> admit(const Context& context, const Wish& wish);

/// The plan of a request that is no wish yet: artefacts may still be missing.
Plan plan_of(const Context& context, const Request& request);

/// Throws `conflict` naming who, what and since when if a release of the app is in progress.
void check_still(store::Transaction& t, const std::string& app, const Clock& clock);

}  // namespace holdall::release
