#pragma once

#include "app/reader.h"

namespace holdall::app {

/// Reads what a service may use: `mem_limit` and its like, `deploy.resources`, `ulimits`.
void read_limits_of(const Reader& service_place, Service& service);

}  // namespace holdall::app
