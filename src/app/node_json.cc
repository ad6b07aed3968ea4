#include "app/node_json.h"

#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "app/scalars.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

/// Without overlong forms, surrogates and what lies beyond U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    auto first = static_cast<unsigned char>(text[i]);
    std::size_t length = first < 0x80   ? 1
                         : first < 0xc2 ? 0
                         : first < 0xe0 ? 2
                         : first < 0xf0 ? 3
                         : first < 0xf5 ? 4
                                        : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    auto second = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    bool surrogate = first == 0xed && second >= 0xa0;
    bool beyond = first == 0xf4 && second >= 0x90;
    if (overlong || surrogate || beyond) return false;
    i += length;
  }
  return true;
}

Json convert(const Node& node, const std::string& path, Findings& findings) {
  switch (node.kind) {
    case Kind::null: return Json();
    case Kind::boolean: return Json(node.integer != 0);
    case Kind::integer:
      if (node.text != std::to_string(node.integer)) {
        findings.refuse(node.where, fmt::format("{}: {} is too large for an integer", path, node.text),
                        "put it in quotes");
      }
      return Json(node.integer);
    case Kind::real:
      if (!std::isfinite(node.real)) {
        findings.refuse(node.where, fmt::format("{}: {} is no number in JSON", path, node.text),
                        "put it in quotes");
      }
      return Json(node.real);
    case Kind::timestamp:
    case Kind::string:
      if (!is_utf8(node.text))
        findings.refuse(node.where, fmt::format("{} is not UTF-8", path), "save it as UTF-8");
      return Json(node.text);
    case Kind::sequence: {
      Json list = Json::array();
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        list.add(convert(node.items[i], join(path, std::to_string(i)), findings));
      }
      return list;
    }
    case Kind::mapping: {
      Json::Object members;
      for (const Node::Member& member : node.members) {
        if (!is_utf8(member.key))
          findings.refuse(member.where, fmt::format("a name in {} is not UTF-8", path));
        members.emplace_back(member.key, convert(member.value, join(path, member.key), findings));
      }
      return Json(std::move(members));
    }
  }
  return Json();
}

void note(const Node& node, const std::string& path, std::map<std::string, Where>& places) {
  if (!path.empty()) places.emplace(path, node.where);
  for (std::size_t i = 0; i < node.items.size(); ++i)
    note(node.items[i], join(path, std::to_string(i)), places);
  for (const Node::Member& member : node.members) {
    std::string below = join(path, member.key);
    places.emplace(below, member.where);
    note(member.value, below, places);
  }
}

}  // namespace

Json to_json(const Node& root, Findings& findings) { return convert(root, "", findings); }

std::map<std::string, Where> places_of(const Node& root) {
  std::map<std::string, Where> places;
  note(root, "", places);
  return places;
}

}  // namespace holdall::app
