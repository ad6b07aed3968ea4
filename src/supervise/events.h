#pragma once

#include <map>

#include "store/store.h"
#include "supervise/rows.h"

namespace holdall::supervise {

/// Writes down what befell instances of a slot that had the tries `before` and has `after`; to be called in
/// the transaction that makes it so. No tries after: those that had not ended were stopped. The newest ten
/// thousand events of all apps are kept.
void record_events(store::Transaction& transaction, const Group& group, const std::map<Place, Try>& before,
                   const std::map<Place, Try>& after, const Clock& clock);

}  // namespace holdall::supervise
