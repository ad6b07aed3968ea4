#include "app/node.h"

#include <algorithm>
#include <functional>

namespace holdall::app {

const Node* Node::find(std::string_view key) const {
  auto at = std::ranges::find(members, key, &Member::key);
  return at == members.end() ? nullptr : &at->value;
}

Node* Node::find(std::string_view key) {
  return const_cast<Node*>(static_cast<const Node*>(this)->find(key));
}

void Node::erase(std::string_view key) {
  std::erase_if(members, [&](const Member& member) { return member.key == key; });
}

void Node::set(std::string_view key, Node value) {
  Where where = value.where;
  auto at = std::ranges::find(members, key, &Member::key);
  if (at == members.end()) {
    members.push_back({std::string(key), std::move(where), std::move(value)});
  } else {
    *at = {std::string(key), std::move(where), std::move(value)};
  }
}

Setter::Setter(Node& mapping) : mapping_(mapping) {
  for (std::size_t i = 0; i < mapping.members.size(); ++i) positions_.emplace(mapping.members[i].key, i);
}

void Setter::set(const std::string& key, Node value) {
  Where where = value.where;
  auto [position, fresh] = positions_.emplace(key, mapping_.members.size());
  if (fresh) {
    mapping_.members.push_back({key, std::move(where), std::move(value)});
  } else {
    mapping_.members[position->second] = {key, std::move(where), std::move(value)};
  }
}

Node Node::string(std::string text, Where where) {
  Node node;
  node.kind = Kind::string;
  node.text = std::move(text);
  node.where = std::move(where);
  return node;
}

Node Node::of(std::int64_t value, Where where) {
  Node node;
  node.kind = Kind::integer;
  node.integer = value;
  node.real = static_cast<double>(value);
  node.text = std::to_string(value);
  node.where = std::move(where);
  return node;
}

Node Node::of(bool value, Where where) {
  Node node;
  node.kind = Kind::boolean;
  node.integer = value;
  node.text = value ? "true" : "false";
  node.where = std::move(where);
  return node;
}

Node Node::empty(Kind kind, Where where) {
  Node node;
  node.kind = kind;
  node.where = std::move(where);
  return node;
}

std::size_t count_nodes(const Node& node) {
  std::size_t count = 1;
  for (const Node& item : node.items) count += count_nodes(item);
  for (const Node::Member& member : node.members) count += count_nodes(member.value);
  return count;
}

bool same_value(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() ||
      a.members.size() != b.members.size())
    return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!same_value(a.items[i], b.items[i])) return false;
  }
  return std::ranges::all_of(a.members, [&](const Node::Member& member) {
    const Node* other = b.find(member.key);
    return other && same_value(member.value, *other);
  });
}

std::size_t hash_value(const Node& node) {
  constexpr std::hash<std::string> hash;
  const auto mix = [](std::size_t a, std::size_t b) {
    return (a ^ (b + 0x9e3779b97f4a7c15)) * 0xff51afd7ed558ccd;
  };
  std::size_t all = mix(static_cast<std::size_t>(node.kind), hash(node.text));
  for (const Node& item : node.items) all = mix(all, hash_value(item));
  // Members are the same in any order.
  std::size_t members = 0;
  for (const Node::Member& member : node.members) members += mix(hash(member.key), hash_value(member.value));
  return mix(all, members);
}

std::string_view describe(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::null: return "nothing";
    case Node::Kind::boolean: return "a boolean";
    case Node::Kind::integer: return "an integer";
    case Node::Kind::real: return "a number";
    case Node::Kind::timestamp: return "a date";
    case Node::Kind::string: return "a string";
    case Node::Kind::sequence: return "a list";
    case Node::Kind::mapping: return "a mapping";
  }
  return "";
}

}  // namespace holdall::app
