#pragma once

#include <stop_token>
#include <string>

#include "release/context.h"

namespace holdall::release {

/// Carries out the destruction of an app that is marked `destroying`: out of the table, a short drain, its
/// instances stopped in reverse order of starting, and then its rows. Begins anew after a crash. Returns at
/// the end, or at `stop`.
void tear_down(const Context& context, const std::string& app, const std::stop_token& stop);

}  // namespace holdall::release
