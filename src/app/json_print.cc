#include <algorithm>

#include "app/app.h"
#include "app/print_order.h"

namespace holdall::app {
namespace {

bool is_blkio(const Schema* at) {
  return at && at->shape && at->shape->path.starts_with("services.*.blkio_config.") &&
         at->shape->path.ends_with(".*");
}

bool by_bytes(std::string_view a, std::string_view b) { return a < b; }

Json ordered(const Json& value, const Schema* at, bool top);

/// Compose prints the devices of blkio_config under the names that its own code has for them.
std::string name_of(const std::string& key, const Schema* at) {
  std::string name = key;
  if (is_blkio(at) && !name.empty()) name[0] = static_cast<char>(name[0] - 32);
  return name;
}

Json section(const Json& value, const Schema* at, bool top) {
  Json::Object members;
  for (const Json::Member* member : in_order(value, at, by_bytes)) {
    const std::string& key = member->first;
    const bool by_schema = at && !at->any && !at->members.empty();
    if (by_schema && !top && is_extension(key) && key != "x-holdall") continue;
    if (top && key == "models") continue;
    members.emplace_back(name_of(key, at), ordered(member->second, below_of(at, key), false));
  }
  // The top level is a mapping of no order of its own.
  if (top) std::ranges::sort(members, {}, &Json::Member::first);
  return Json(std::move(members));
}

Json ordered(const Json& value, const Schema* at, bool top) {
  if (value.is_object()) return section(value, at, top);
  if (!value.is_array()) return value;
  Json list = Json::array();
  for (const Json& item : value.items()) list.add(ordered(item, at ? at->any : nullptr, false));
  return list;
}

}  // namespace

std::vector<const Json::Member*> in_order(const Json& mapping, const Schema* at, Before before) {
  std::vector<std::pair<std::size_t, const Json::Member*>> ranked;
  for (const Json::Member& member : mapping.members()) {
    std::size_t rank = 0;
    if (at && !at->any && !(at->shape && at->shape->as == As::anything)) {
      auto row =
          std::ranges::find(at->members, member.first, &std::pair<std::string_view, const Schema*>::first);
      // An extension that the schema knows stands with the others.
      const bool own = row != at->members.end() && !is_extension(member.first);
      rank = own ? static_cast<std::size_t>(row - at->members.begin()) : at->members.size();
    }
    ranked.emplace_back(rank, &member);
  }
  std::ranges::sort(ranked, [&](const auto& a, const auto& b) {
    return a.first == b.first ? before(a.second->first, b.second->first) : a.first < b.first;
  });
  std::vector<const Json::Member*> members;
  for (const auto& [rank, member] : ranked) members.push_back(member);
  return members;
}

const Schema* below_of(const Schema* at, std::string_view name) { return at ? at->below(name) : nullptr; }

std::string to_json_text(const Json& model, bool raw) {
  return (raw ? ordered(model, nullptr, false) : ordered(model, &schema(), true)).pretty();
}

}  // namespace holdall::app
