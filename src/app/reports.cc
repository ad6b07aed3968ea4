#include "app/reports.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace holdall::app {
namespace {

namespace fs = std::filesystem;

std::string remedy_of_unset(const std::string& name, const Environment& environment) {
  if (environment.name.empty()) {
    return fmt::format(
        "write ${{{}:-default}}, or seal it: holdall secrets seal {}; a release sees neither "
        ".env nor anybody's shell",
        name, name);
  }
  if (name == "HOLDALL_DOMAIN")
    return fmt::format("write 'domain: shop.example.com' in x-holdall.environments.{}", environment.name);
  return fmt::format(
      "write it in .env.{}, or ${{{}:-default}} here, or seal it: holdall secrets seal {} --on {}; a release "
      "sees neither .env nor anybody's shell",
      environment.name, name, name, environment.name);
}

}  // namespace

Where place_of(std::string path, const std::map<std::string, Where>& places) {
  while (true) {
    if (auto found = places.find(path); found != places.end()) return found->second;
    std::size_t dot = path.rfind('.');
    if (dot == std::string::npos) return {};
    path.erase(dot);
  }
}

void report_unset(const Unset& unset, bool release, const Environment& environment, Findings& findings) {
  std::vector<std::string> names;
  for (const auto& [name, places] : unset) {
    if (release) {
      std::string what = fmt::format("variable {} is not set, and has no default", name);
      for (std::size_t i = 1; i < places.size(); ++i)
        what += fmt::format("{}{}", i == 1 ? "; nor is it in " : ", ", text(places[i]));
      findings.refuse(places.front(), std::move(what), remedy_of_unset(name, environment));
    }
    names.push_back(fmt::format("{} ({})", name, text(places.front())));
  }
  if (!names.empty() && !release) {
    findings.warn({}, fmt::format("not set, so empty: {}", fmt::join(names, ", ")),
                  "set them in .env or in the shell, or give each a default: ${NAME:-default}");
  }
}

void report_faults(const std::vector<Fault>& faults, const std::map<std::string, Where>& places,
                   Findings& findings) {
  for (const Fault& fault : faults) {
    findings.refuse(place_of(fault.path, places), fmt::format("{} {}", fault.path, fault.what), fault.hint);
  }
}

void warn_of_empty_trees(const App& app, const std::map<std::string, Where>& places, Findings& findings) {
  for (const std::string& name : app.service_order) {
    if (!app.services.at(name).context.empty()) continue;
    findings.warn(
        place_of(fmt::format("services.{}.image", name), places),
        fmt::format(
            "services.{} has an image and no build: its command runs from an empty directory, with the "
            "programs of this machine",
            name),
        "write 'build: .' to run it from this directory");
  }
}

void put_in_order(std::vector<Problem>& problems, const Sources& sources) {
  std::map<std::string, int> position;
  for (const fs::path& file : sources.files)
    position.emplace(shown(file, sources.project_dir), position.size() + 1);
  std::ranges::sort(problems, [&](const Problem& a, const Problem& b) {
    auto rank = [&](const Where& where) {
      return std::tuple(position[where.file], where.line, where.column);
    };
    return std::tuple(rank(a.where), a.what) < std::tuple(rank(b.where), b.what);
  });
  problems.erase(std::unique(problems.begin(), problems.end()), problems.end());
}

}  // namespace holdall::app
