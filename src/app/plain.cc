#include "app/model.h"

namespace holdall::app {
namespace {

using Change = std::string (*)(std::string_view);

Json map_all(const Json& value, Change change);

/// Values of a service's environment are templates already.
Json map_service(const Json& service, Change change) {
  if (!service.is_object()) return map_all(service, change);
  Json::Object members;
  for (const auto& [name, member] : service.members()) {
    if (name != "environment" || !member.is_object()) {
      members.emplace_back(change(name), map_all(member, change));
      continue;
    }
    Json::Object environment;
    for (const auto& [variable, text] : member.members()) environment.emplace_back(change(variable), text);
    members.emplace_back(name, Json(std::move(environment)));
  }
  return Json(std::move(members));
}

Json map_all(const Json& value, Change change) {
  if (value.is_string()) return Json(change(value.string()));
  if (value.is_array()) {
    Json copy = Json::array();
    for (const Json& item : value.items()) copy.add(map_all(item, change));
    return copy;
  }
  if (!value.is_object()) return value;
  Json::Object members;
  for (const auto& [name, member] : value.members())
    members.emplace_back(change(name), map_all(member, change));
  return Json(std::move(members));
}

}  // namespace

Json map_plain_strings(const Json& model, std::string (*change)(std::string_view)) {
  if (!model.is_object()) return map_all(model, change);
  Json::Object members;
  for (const auto& [name, member] : model.members()) {
    if (name != "services" || !member.is_object()) {
      members.emplace_back(change(name), map_all(member, change));
      continue;
    }
    Json::Object services;
    for (const auto& [service, value] : member.members())
      services.emplace_back(change(service), map_service(value, change));
    members.emplace_back(name, Json(std::move(services)));
  }
  return Json(std::move(members));
}

}  // namespace holdall::app
