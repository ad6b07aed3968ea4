#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/files.h"
#include "cli/options.h"
#include "cli/project.h"

namespace holdall::cli {
namespace {

std::string lines(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

/// The names under a top-level key of the model.
std::set<std::string> names_of(const Json& model, std::string_view key) {
  std::set<std::string> names;
  if (const Json* all = model.find(key); all && all->is_object()) {
    for (const auto& [name, each] : all->members()) names.insert(name);
  }
  return names;
}

std::set<std::string> profiles_of(const Json& model) {
  std::set<std::string> names;
  for (const std::string& service : names_of(model, "services")) {
    const Json* profiles = model.at("services").at(service).find("profiles");
    if (!profiles) continue;
    for (const Json& profile : profiles->items()) names.insert(profile.string());
  }
  return names;
}

/// What is built and has no name gets the one that Compose gives it.
std::set<std::string> images_of(const Json& model) {
  std::set<std::string> images;
  for (const std::string& service : names_of(model, "services")) {
    std::string image = model.at("services").at(service).string_or("image", "");
    images.insert(image.empty() ? fmt::format("{}-{}", model.at("name").string(), service) : image);
  }
  return images;
}

std::string variables_of(const Json& model, bool json) {
  Json all = Json::object();
  Table table({"NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"});
  for (const auto& [name, variable] : app::variables_written(model)) {
    all[name] = Json::object({{"Name", name},
                              {"DefaultValue", variable.fallback},
                              {"PresenceValue", variable.alternate},
                              {"Required", variable.required}});
    table.row({name, variable.required ? "true" : "false", variable.fallback, variable.alternate});
  }
  return json ? all.pretty() : table.text();
}

std::string environment_of(const std::map<std::string, std::string>& variables) {
  std::string text;
  for (const auto& [name, value] : variables) text += fmt::format("{}={}\n", name, value);
  return text;
}

/// Networks, volumes, configs and secrets that no service of the model uses any more leave it.
void drop_unused(Json& model) {
  std::map<std::string, std::set<std::string>> used;
  for (const std::string& name : names_of(model, "services")) {
    const Json& service = model.at("services").at(name);
    used["networks"].merge(names_of(service, "networks"));
    for (const char* key : {"volumes", "configs", "secrets"}) {
      const Json* list = service.find(key);
      if (!list || !list->is_array()) continue;
      for (const Json& one : list->items()) used[key].insert(one.string_or("source", ""));
    }
    const Json* build = service.find("build");
    const Json* list = build ? build->find("secrets") : nullptr;
    if (!list) continue;
    for (const Json& one : list->items()) used["secrets"].insert(one.string_or("source", ""));
  }
  for (const auto& [key, names] : used) {
    Json* all = model.find(key);
    if (!all || !all->is_object()) continue;
    std::erase_if(all->members(), [&](const Json::Member& one) { return !names.contains(one.first); });
    if (all->members().empty()) model.erase(key);
  }
}

struct What {
  bool services = false, profiles = false, networks = false, volumes = false, images = false, models = false,
       variables = false, environment = false, quiet = false, json = false, raw = false;
  std::vector<std::string> only;
};

std::string text_of(app::Loaded& project, const What& what) {
  if (what.quiet) return "";
  if (what.profiles) return lines(profiles_of(project.model));
  if (what.variables) return variables_of(project.model, what.json);
  if (what.environment) return environment_of(project.interpolation);
  narrow(project, what.only);
  if (!what.only.empty()) drop_unused(project.model);
  if (what.services) return lines(names_of(project.model, "services"));
  if (what.networks) return lines(names_of(project.model, "networks"));
  if (what.volumes) return lines(names_of(project.model, "volumes"));
  if (what.models) return lines(names_of(project.model, "models"));
  if (what.images) return lines(images_of(project.model));
  return what.json ? app::to_json_text(project.model, what.raw) : app::to_yaml(project.model, what.raw);
}

}  // namespace

int config(Invocation& call) {
  What what;
  bool json = false, no_consistency = false, no_interpolate = false, no_env = false, no_paths = false,
       no_normalise = false;
  std::string format = "yaml";
  std::optional<std::string> output;
  Options options(
      call, "  holdall config --format json\n  holdall config --on production\n  holdall config --services");
  options.choice("--format", format, {"yaml", "json"}, "how to print the model");
  options.flag("--json", json, "the same as --format json");
  options.value("-o,--output", output, "FILE", "write to this file instead of stdout");
  options.flag("-q,--quiet", what.quiet, "print nothing, only check");
  options.flag("--services", what.services, "print the names of the services only");
  options.flag("--profiles", what.profiles, "print the names of the profiles only");
  options.flag("--networks", what.networks, "print the names of the networks only");
  options.flag("--volumes", what.volumes, "print the names of the volumes only");
  options.flag("--models", what.models, "print the names of the models only");
  options.flag("--images", what.images, "print the names of the images only");
  options.flag("--variables", what.variables, "print the variables that the files name, and their defaults");
  options.flag("--environment", what.environment, "print the variables that the files could use");
  options.flag("--no-interpolate", no_interpolate, "leave ${VARIABLES} as they are written");
  options.flag("--no-env-resolution", no_env, "leave env_file as it is, and read none");
  options.flag("--no-path-resolution", no_paths, "leave paths as they are written");
  options.flag("--no-normalize", no_normalise, "fill in neither default network nor names of resources");
  options.flag("--no-consistency", no_consistency, "do not ask that what is referred to is there");
  options.arguments("SERVICE", what.only, "only these, and all they depend on");
  if (!options.parse()) return 0;
  what.json = json || format == "json";
  // These are read off all services; and one that is named is wanted, whatever its profiles.
  if (what.profiles || what.variables || !what.only.empty()) call.globals.profiles = {"*"};
  const app::Steps steps{.interpolate = !no_interpolate && !what.variables,
                         .resolve_env = !no_env && !what.variables,
                         .resolve_paths = !no_paths,
                         .normalise = !no_normalise,
                         .check_consistency = !no_consistency && !what.profiles && !what.variables};
  what.raw = no_interpolate;
  app::Loaded project =
      load_model(call.globals, call.globals.environment.has_value(), steps, Terminal(2, call.globals.ansi));
  const std::string text = text_of(project, what);
  if (output) {
    write_file_atomic(*output, text);
  } else {
    std::fputs(text.c_str(), stdout);
  }
  return 0;
}

}  // namespace holdall::cli
