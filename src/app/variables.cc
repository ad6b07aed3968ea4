// Variables in values of `environment`, which a server fills anew when one of them is set there.

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "app/app.h"
#include "app/template.h"

namespace holdall::app {
namespace {

Json to_json(const std::map<std::string, std::string>& strings) {
  Json json = Json::object();
  for (const auto& [key, value] : strings) json[key] = value;
  return json;
}

std::map<std::string, std::string> strings(const Json& json, std::string_view member) {
  std::map<std::string, std::string> all;
  const Json* object = json.find(member);
  if (!object || object->is_null()) return all;
  for (const auto& [key, value] : object->members()) all.emplace(key, value.string());
  return all;
}

}  // namespace

Json to_json(const VariableUse& use) {
  return Json::object({{"templates", to_json(use.templates)},
                       {"values", to_json(use.values)},
                       {"origins", to_json(use.origins)},
                       {"elsewhere", to_json(use.elsewhere)},
                       {"loaded", to_json(use.loaded)}});
}

VariableUse parse_variable_use(const Json& json) {
  if (!json.is_object()) return {};
  return {.templates = strings(json, "templates"),
          .values = strings(json, "values"),
          .origins = strings(json, "origins"),
          .elsewhere = strings(json, "elsewhere"),
          .loaded = strings(json, "loaded")};
}

std::set<std::string> variables_in(const std::string& text) {
  std::set<std::string> names;
  each_mention(text, [&](Mention mention) { names.insert(std::move(mention.name)); });
  return names;
}

std::map<std::string, WrittenVariable> variables_written(const Json& model) {
  std::map<std::string, WrittenVariable> all;
  std::vector<const Json*> open{&model};
  while (!open.empty()) {
    const Json& value = *open.back();
    open.pop_back();
    if (value.is_string()) {
      each_mention(value.string(), [&](Mention mention) {
        WrittenVariable& written = all[mention.name];
        if (written.fallback.empty()) written.fallback = std::move(mention.fallback);
        if (written.alternate.empty()) written.alternate = std::move(mention.alternate);
        written.required |= mention.required;
      });
    } else if (value.is_array()) {
      for (const Json& item : value.items()) open.push_back(&item);
    } else if (value.is_object()) {
      for (const auto& [name, member] : value.members()) open.push_back(&member);
    }
  }
  return all;
}

Json fill_anew(const Json& model, const VariableUse& use, const std::map<std::string, std::string>& set,
               const std::set<std::string>& secrets) {
  Json filled = model;
  std::vector<Problem> problems;
  const Json* services = model.find("services");
  if (!services) return filled;
  for (const auto& [service, each] : services->members()) {
    const Json* environment = each.find("environment");
    if (!environment || !environment->is_object()) continue;
    for (const auto& [variable, before] : environment->members()) {
      const std::string path = fmt::format("services.{}.environment.{}", service, variable);
      const auto written = use.templates.find(path);
      if (written == use.templates.end()) continue;
      const Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
        if (secrets.contains(name)) return "${" + name + "}";
        auto value = set.find(name);
        if (value == set.end() && (value = use.values.find(name)) == use.values.end()) return std::nullopt;
        return escape_dollars(value->second);
      };
      const auto note_unset = [&](const std::string& name) {
        problems.push_back(
            {{}, fmt::format("{}: variable {} would have no value, and no default", path, name), ""});
      };
      const Substituted result = substitute(written->second, lookup, note_unset, "$$");
      if (!result.error.empty()) problems.push_back({{}, fmt::format("{}: {}", path, result.error), ""});
      filled["services"][service]["environment"][variable] = result.text;
    }
  }
  throw_if_any(problems);
  return filled;
}

}  // namespace holdall::app
