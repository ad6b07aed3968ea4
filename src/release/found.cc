#include "release/found.h"

#include <fmt/format.h>

#include "base/error.h"
#include "release/plan.h"
#include "release/report.h"

namespace holdall::release {

Release shown(Release release) {
  release.report = public_report(std::move(release.report));
  return release;
}

void no_app(const std::string& app) { throw Error(Error::missing, fmt::format("no app '{}'", app)); }

void no_release(const std::string& app, int number) {
  throw Error(Error::missing, fmt::format("{} has no release {}", app, version(number)));
}

Row must_find(store::Transaction& t, const std::string& app, int number) {
  std::optional<Row> row = find_row(t, app, number);
  if (!row) no_release(app, number);
  return std::move(*row);
}

Row must_serve(store::Transaction& t, const std::string& app) {
  const std::optional<AppRow> row = find_app(t, app);
  if (!row) no_app(app);
  if (!row->serving) throw Error(Error::missing, fmt::format("no release of {} serves", app));
  return must_find(t, app, *row->serving);
}

const app::Service& check_service(const app::App& app, const std::string& name) {
  const auto found = app.services.find(name);
  if (found != app.services.end()) return found->second;
  throw Error(Error::missing, fmt::format("{} has no service '{}'; it has: {}", app.name, name,
                                          fmt::join(app.service_order, ", ")));
}

}  // namespace holdall::release
