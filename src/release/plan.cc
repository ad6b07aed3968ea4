#include "release/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/seal.h"
#include "release/served.h"

namespace holdall::release {
namespace {

// A value is quoted in a reason up to this many bytes: enough for a URL, little enough for a line.
constexpr std::size_t kQuotedBytes = 60;

// Eight digits tell artefacts apart at a glance; the whole digest is in the release.
constexpr std::size_t kDigestDigits = 8;

/// Finds what differs between two models of one service, and where the newer was written.
class Comparison {
 public:
  Comparison(const std::string& service, const std::map<std::string, std::string>& places)
      : root_("services." + service), places_(places) {}

  void compare(const std::string& path, const Json* before, const Json* after) {
    if (before && after && *before == *after) return;
    // Another number of replicas is no other service: what runs stays.
    if (path == "deploy.replicas" || path == "scale") return;
    const bool objects = (!before || before->is_object()) && (!after || after->is_object());
    if (!objects) {
      why_.push_back(fmt::format("{}  {} -> {}{}", path, quoted(before), quoted(after), place(path)));
      return;
    }
    std::set<std::string> keys;
    for (const Json* side : {before, after}) {
      if (side) {
        for (const auto& [key, value] : side->members()) keys.insert(key);
      }
    }
    for (const std::string& key : keys) {
      // The context and the build argv made the artefact, and count by it: another checkout is no other
      // version.
      if (path.empty() && key == "build") continue;
      if (path == "x-holdall" && key == "build") continue;
      compare(path.empty() ? key : path + "." + key, before ? before->find(key) : nullptr,
              after ? after->find(key) : nullptr);
    }
  }

  std::vector<std::string> why() && { return std::move(why_); }

 private:
  static std::string quoted(const Json* value) {
    if (!value) return "(none)";
    std::string text = value->is_string() ? value->string() : value->print();
    if (text.size() > kQuotedBytes) text = text.substr(0, kQuotedBytes) + "...";
    return text.empty() ? "\"\"" : text;
  }

  /// Of the path itself, or of what it is written in.
  std::string place(std::string path) const {
    for (;;) {
      const auto found = places_.find(path.empty() ? root_ : root_ + "." + path);
      if (found != places_.end()) return "   " + found->second;
      if (path.empty()) return "";
      const std::size_t dot = path.rfind('.');
      path.resize(dot == std::string::npos ? 0 : dot);
    }
  }

  std::string root_;
  const std::map<std::string, std::string>& places_;
  std::vector<std::string> why_;
};

const Json* service_model(const Request& request, const std::string& service) {
  const Json* services = request.model.find("services");
  return services ? services->find(service) : nullptr;
}

std::string brief(const std::map<std::string, Digest>& artefacts, const std::string& service) {
  const auto found = artefacts.find(service);
  if (found == artefacts.end()) return "(not made yet)";
  constexpr std::string_view kScheme = "sha256:";
  std::string_view digits = found->second.value;
  if (digits.starts_with(kScheme)) digits.remove_prefix(kScheme.size());
  return std::string(digits.substr(0, kDigestDigits));
}

std::vector<std::string> why_replace(const Serving& serving, const Request& request,
                                     const std::string& service, const std::set<std::string>& secrets) {
  std::vector<std::string> why;
  const std::string before = brief(serving.request.artefacts, service),
                    after = brief(request.artefacts, service);
  const auto old_artefact = serving.request.artefacts.find(service),
             artefact = request.artefacts.find(service);
  if (old_artefact == serving.request.artefacts.end() || artefact == request.artefacts.end() ||
      old_artefact->second != artefact->second) {
    why.push_back(fmt::format("artefact  {} -> {}", before, after));
  }
  Comparison comparison(service, request.places);
  comparison.compare("", service_model(serving.request, service), service_model(request, service));
  for (std::string& reason : std::move(comparison).why()) why.push_back(std::move(reason));
  for (const std::string& name : secrets) why.push_back(fmt::format("secret {} changed", name));
  if (serving.request.development != request.development) {
    why.push_back(request.development ? "mode  release -> development" : "mode  development -> release");
  }
  if (serving.request.environment != request.environment) {
    why.push_back(fmt::format("environment  '{}' -> '{}'", serving.request.environment, request.environment));
  }
  if (why.empty() && request.force) why.emplace_back("forced");
  if (why.empty() && request.restart.contains(service)) why.emplace_back("restarted");
  return why;
}

std::string why_replicas(const Serving& serving, const Request& request, const std::string& service,
                         int before, int after) {
  if (serving.request.scale.contains(service) || request.scale.contains(service))
    return fmt::format("replicas  {} -> {}", before, after);
  const auto place = request.places.find("services." + service + ".deploy.replicas");
  return fmt::format("deploy.replicas  {} -> {}{}", before, after,
                     place == request.places.end() ? "" : "   " + place->second);
}

/// Of `changed`, what the service saw and is to see; what it names anew or no more differs in its model.
std::set<std::string> changed_of(const app::App& old, const app::Service& service,
                                 const std::set<std::string>& changed) {
  std::set<std::string> names;
  const auto before = old.services.find(service.name);
  if (before == old.services.end()) return names;
  const std::set<std::string> saw = before->second.secret_names();
  for (const std::string& name : service.secret_names()) {
    if (changed.contains(name) && saw.contains(name)) names.insert(name);
  }
  return names;
}

bool is_kept(Change::Kind kind) { return kind == Change::keep || kind == Change::scale; }

}  // namespace

Plan make_plan(const std::optional<Serving>& serving, const Request& request, const app::App& wanted, int to,
               const std::set<std::string>& changed) {
  Plan plan;
  plan.app = wanted.name;
  plan.to = to;
  if (request.release_commands) plan.commands = commands_of(wanted);
  if (serving) plan.from = serving->number;
  const app::App old = serving ? app_of(serving->request) : app::App();
  for (const std::string& service : start_order(wanted)) {
    Change change{
        .service = service, .kind = Change::add, .replicas = wanted.services.at(service).replicas, .why = {}};
    if (serving && serving->groups.contains(service)) {
      change.why =
          why_replace(*serving, request, service, changed_of(old, wanted.services.at(service), changed));
      change.kind = change.why.empty() ? Change::keep : Change::replace;
      const int before = old.services.at(service).replicas;
      if (before != change.replicas) {
        if (change.kind == Change::keep) change.kind = Change::scale;
        change.why.push_back(why_replicas(*serving, request, service, before, change.replicas));
      }
    }
    plan.changes.push_back(std::move(change));
  }
  if (serving) {
    for (const auto& [service, group] : serving->groups) {
      if (!wanted.services.contains(service)) plan.changes.push_back({service, Change::remove, 0, {}});
    }
  }
  plan.scaled = scaled(request);
  for (const auto& [service, replicas] : serving ? serving->request.scale : std::map<std::string, int>()) {
    const auto now = wanted.services.find(service);
    if (now == wanted.services.end() || request.scale.contains(service)) continue;
    plan.scaled.push_back(
        fmt::format("{} x{} by the file, no longer {}", service, now->second.replicas, replicas));
  }
  const Served served{wanted, request.development, {}, {}};
  for (const router::Route& route : routes(served)) {
    plan.routes.push_back(route.path == "/" ? route.host : route.host + route.path);
  }
  for (const auto& [name, service] : wanted.services) {
    for (const std::string& secret : service.secret_names()) plan.secrets[secret].push_back(name);
  }
  if (!request.sealed.empty()) {
    for (const std::string& name : SealedFile::parse(request.sealed, "the sealed file").names())
      plan.secrets.try_emplace(name);
  }
  for (const Published& port : published_ports(served)) {
    plan.ports.push_back(fmt::format("{} -> {}", net::text(port.address), port.service));
  }
  return plan;
}

std::vector<std::string> scaled(const Request& request) {
  std::vector<std::string> all;
  if (request.scale.empty()) return all;
  const app::App written = app::parse_model(request.model);
  for (const auto& [service, replicas] : request.scale) {
    all.push_back(
        fmt::format("{} x{}, the file says {}", service, replicas, written.services.at(service).replicas));
  }
  return all;
}

void carry_scale(const Request& from, Request& to) {
  if (from.scale.empty()) return;
  const app::App before = app::parse_model(from.model), after = app::parse_model(to.model);
  for (const auto& [service, replicas] : from.scale) {
    const auto now = after.services.find(service);
    if (now == after.services.end() || now->second.replicas != before.services.at(service).replicas) continue;
    to.scale.emplace(service, replicas);
  }
}

bool Plan::nothing_changed() const {
  return from &&
         std::ranges::all_of(changes, [](const Change& change) { return change.kind == Change::keep; });
}

std::map<std::string, GroupId> groups_of(const Plan& plan, const std::optional<Serving>& serving) {
  std::map<std::string, GroupId> groups;
  for (const Change& change : plan.changes) {
    if (change.kind == Change::remove) continue;
    groups[change.service] = is_kept(change.kind) ? serving->groups.at(change.service)
                                                  : group_id(plan.app, change.service, plan.to);
  }
  return groups;
}

GroupId group_id(const std::string& app, const std::string& service, int number) {
  return {fmt::format("{}/{}@{}", app, service, version(number))};
}

GroupId command_group_id(const std::string& app, const std::string& service, std::size_t which, int number) {
  return {fmt::format("{}/{}:release.{}@{}", app, service, which + 1, version(number))};
}

GroupId one_off_group_id(const std::string& app, const std::string& service, const std::string& tag,
                         int number) {
  return {fmt::format("{}/{}:run.{}@{}", app, service, tag, version(number))};
}

bool is_one_off(const GroupId& group) { return group.value.find(":run.") != std::string::npos; }

std::vector<std::string> commands_of(const app::App& app) {
  std::vector<std::string> all;
  for (const std::string& name : start_order(app)) {
    for (const app::ReleaseCommand& each : app.services.at(name).release_commands)
      all.push_back(fmt::format("{}: {}", name, fmt::join(each.command, " ")));
  }
  return all;
}

int release_of(const GroupId& group) {
  int number = 0;
  const std::size_t at = group.value.rfind("@v");
  if (at != std::string::npos) {
    std::from_chars(group.value.data() + at + 2, group.value.data() + group.value.size(), number);
  }
  return number;
}

std::string version(int number) { return fmt::format("v{}", number); }

Json version(const std::optional<int>& number) { return number ? Json(version(*number)) : Json(); }

}  // namespace holdall::release
