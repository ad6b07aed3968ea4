#pragma once

#include "app/app.h"
#include "release/release.h"
#include "store/store.h"

namespace holdall::release {

/// Every service of the app has a user of its own from now on. Throws `invalid` when the range has none left
/// that no service ever had.
void give_service_uids(store::Transaction& t, const app::App& app, const UidRange& range);

}  // namespace holdall::release
