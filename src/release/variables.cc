// Variables that are set on the server: what may be set, and what a service sees of them.

#include "release/variables.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/seal.h"

namespace holdall::release {
namespace {

bool is_name(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::map<std::string, std::string> values_of(const std::map<std::string, Variable>& variables) {
  std::map<std::string, std::string> values;
  for (const auto& [name, one] : variables) values[name] = one.value;
  return values;
}

std::set<std::string> sealed_names(const Request& request) {
  std::set<std::string> names;
  if (request.sealed.empty()) return names;
  for (std::string& name : SealedFile::parse(request.sealed, "secrets.sealed").names())
    names.insert(std::move(name));
  return names;
}

/// What stands where a value was written: the value's own place, or that of what holds it.
std::string place_of(const Request& request, const std::string& service, const std::string& variable) {
  for (const std::string& path :
       {fmt::format("services.{}.environment.{}", service, variable),
        fmt::format("services.{}.environment", service), fmt::format("services.{}", service)}) {
    const auto place = request.places.find(path);
    if (place != request.places.end()) return place->second;
  }
  return "the file";
}

std::string origin_of(const Request& request, const std::string& service, const std::string& variable) {
  std::string origin = place_of(request, service, variable);
  const auto written =
      request.variable_use.templates.find(fmt::format("services.{}.environment.{}", service, variable));
  if (written == request.variable_use.templates.end()) return origin;
  for (const std::string& name : app::variables_in(written->second)) {
    const auto set = request.variables.find(name);
    const auto from = request.variable_use.origins.find(name);
    if (set != request.variables.end()) {
      origin += fmt::format(", {} set by {} at {}", name, set->second.by, rfc3339(set->second.since));
    } else if (from != request.variable_use.origins.end()) {
      origin += fmt::format(", {} from {}", name, from->second);
    }
  }
  return origin;
}

}  // namespace

void check_variable_names(const std::map<std::string, std::string>& set, const std::set<std::string>& unset,
                          const std::map<std::string, Variable>& known) {
  std::vector<Problem> problems;
  for (const auto& [name, value] : set) {
    if (!is_name(name)) {
      problems.push_back({{}, fmt::format("'{}' is no name of a variable", name), ""});
    } else if (name.starts_with("HOLDALL_") || name.starts_with("COMPOSE_")) {
      problems.push_back({{}, fmt::format("{} is given by holdall itself", name), "choose another name"});
    } else if (value.find('\0') != std::string::npos) {
      problems.push_back({{}, fmt::format("{}: a value holds no NUL byte", name), ""});
    }
  }
  throw_if_any(problems);
  for (const std::string& name : unset) {
    if (!known.contains(name))
      throw Error(Error::missing, fmt::format("variable {} is not set; see: holdall env", name));
  }
}

void change_variables(Request& request, const std::map<std::string, std::string>& set,
                      const std::set<std::string>& unset, WallTime now) {
  check_variable_names(set, unset, request.variables);
  const std::set<std::string> sealed = sealed_names(request);
  std::vector<Problem> problems;
  const auto check_use = [&](const std::string& name) {
    const auto place = request.variable_use.elsewhere.find(name);
    if (sealed.contains(name)) {
      problems.push_back(
          {{}, fmt::format("{} is sealed", name), fmt::format("holdall secrets seal {}", name)});
    } else if (place != request.variable_use.elsewhere.end()) {
      problems.push_back(
          {{},
           fmt::format("{} is used at {}, which is no value of environment: only a deploy reads "
                       "the file anew",
                       name, place->second),
           "write it in the environment's env file, and deploy"});
    }
  };
  for (const auto& [name, value] : set) check_use(name);
  for (const std::string& name : unset) check_use(name);
  throw_if_any(problems);
  for (const std::string& name : unset) request.variables.erase(name);
  for (const auto& [name, value] : set) request.variables[name] = {value, request.by, now};
  const auto values = values_of(request.variables);
  request.model = app::fill_anew(request.model, request.variable_use, values, sealed);
  for (const auto& [name, value] : set) request.variable_use.loaded[name] = value;
  for (const std::string& name : unset) request.variable_use.loaded.erase(name);
}

std::vector<std::string> unused_of(const Request& request, const std::map<std::string, std::string>& set) {
  std::set<std::string> used;
  for (const auto& [path, text] : request.variable_use.templates) used.merge(app::variables_in(text));
  std::vector<std::string> unused;
  for (const auto& [name, value] : set) {
    if (!used.contains(name)) unused.push_back(name);
  }
  return unused;
}

std::map<std::string, std::vector<Seen>> seen_by_services(const Request& request) {
  std::map<std::string, std::vector<Seen>> services;
  for (const auto& [name, service] : app::parse_model(request.model).services) {
    std::vector<Seen>& seen = services[name];
    for (const auto& [variable, value] : service.environment)
      seen.push_back({variable, value, origin_of(request, name, variable)});
    for (const auto& [variable, text] : service.secret_environment)
      seen.push_back({variable, std::nullopt, origin_of(request, name, variable) + ", sealed"});
    std::ranges::sort(seen, {}, &Seen::name);
  }
  return services;
}

Json to_json(const AppVariables& variables) {
  Json set = Json::array(), services = Json::object();
  for (const auto& [name, one] : variables.set) {
    set.add(
        Json::object({{"name", name}, {"value", one.value}, {"by", one.by}, {"since", rfc3339(one.since)}}));
  }
  for (const auto& [name, seen] : variables.services) {
    Json list = Json::array();
    for (const Seen& one : seen) {
      list.add(Json::object(
          {{"name", one.name}, {"value", one.value ? Json(*one.value) : Json()}, {"origin", one.origin}}));
    }
    services[name] = std::move(list);
  }
  return Json::object({{"set", std::move(set)}, {"services", std::move(services)}});
}

}  // namespace holdall::release
