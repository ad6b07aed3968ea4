// The release room's values as the API shows them.

#include <fmt/format.h>

#include <array>

#include "release/plan.h"
#include "release/release.h"
#include "release/report.h"

namespace holdall::release {
namespace {

constexpr std::array kChangeNames{"add", "replace", "keep", "remove", "scale"};

Json strings(const std::vector<std::string>& items) {
  Json array = Json::array();
  for (const std::string& item : items) array.add(item);
  return array;
}

}  // namespace

Json to_json(const Plan& plan) {
  Json changes = Json::array();
  for (const Change& change : plan.changes) {
    changes.add(Json::object({{"service", change.service},
                              {"kind", kChangeNames.at(change.kind)},
                              {"replicas", change.replicas},
                              {"why", strings(change.why)}}));
  }
  Json secrets = Json::object();
  for (const auto& [name, services] : plan.secrets) secrets[name] = strings(services);
  return Json::object({{"app", plan.app},
                       {"from", version(plan.from)},
                       {"to", version(plan.to)},
                       {"unchanged", plan.nothing_changed()},
                       {"changes", std::move(changes)},
                       {"routes", strings(plan.routes)},
                       {"ports", strings(plan.ports)},
                       {"secrets", std::move(secrets)},
                       {"scaled", strings(plan.scaled)},
                       {"commands", strings(plan.commands)},
                       {"not_undone", strings(plan.not_undone)},
                       {"warnings", strings(plan.warnings)}});
}

Json to_json(const Maintenance& maintenance) {
  return Json::object(
      {{"since", rfc3339(maintenance.since)}, {"by", maintenance.by}, {"hold_ms", maintenance.hold.count()}});
}

Json to_json(const Release& release) {
  return Json::object({{"app", release.app},
                       {"release", version(release.number)},
                       {"number", release.number},
                       {"step", name(release.step)},
                       {"reason", release.reason},
                       {"rollback_of", version(release.rollback_of)},
                       {"commit", release.commit},
                       {"by", release.by},
                       {"created", rfc3339(release.created)},
                       {"finished", release.finished ? Json(rfc3339(*release.finished)) : Json()},
                       {"serving", release.serving},
                       {"report", release.report}});
}

Json to_json(const Event& event) {
  return Json::object(
      {{"sequence", event.sequence}, {"at", rfc3339(event.at)}, {"kind", event.kind}, {"data", event.data}});
}

}  // namespace holdall::release
