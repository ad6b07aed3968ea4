#pragma once

#include <string>

#include "app/app.h"
#include "release/release.h"
#include "release/rows.h"

namespace holdall::release {

// What a caller was sure of. Each throws `missing` with what there is instead.

[[noreturn]] void no_app(const std::string& app);
[[noreturn]] void no_release(const std::string& app, int number);
Row must_find(store::Transaction& t, const std::string& app, int number);
Row must_serve(store::Transaction& t, const std::string& app);
const app::Service& check_service(const app::App& app, const std::string& name);

/// As the API shows it: without the marks that its steps keep in the report.
Release shown(Release release);

}  // namespace holdall::release
