#pragma once

#include "app/app.h"
#include "app/discover.h"

namespace holdall::app {

/// `load` and `read_project` over any source of files: the whole reader, without the disk.
Loaded load_from(const LoadOptions& options, const ReadFile& read);
Loaded read_from(const LoadOptions& options, const ReadFile& read);

}  // namespace holdall::app
