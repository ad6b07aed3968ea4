#include "app/merge.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "app/scalars.h"
#include "app/schema.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

Node list_of(std::vector<Node> items, const Where& where) {
  Node list = Node::empty(Kind::sequence, where);
  list.items = std::move(items);
  return list;
}

/// A mapping as the list of NAME=value that it stands for, by name; one text as a list of one.
Node as_list(Node node) {
  if (node.is(Kind::sequence)) return node;
  std::vector<Node> items;
  auto add = [&](const std::string& key, const Node& value) {
    items.push_back(Node::string(fmt::format("{}={}", key, value.text), value.where));
  };
  for (const Node::Member& member : node.members) {
    if (member.value.tag == Node::Tag::reset) continue;
    if (member.value.is(Kind::null)) {
      items.push_back(Node::string(member.key, member.where));
    } else if (member.value.is(Kind::sequence)) {
      for (const Node& item : member.value.items) add(member.key, item);
    } else {
      add(member.key, member.value);
    }
  }
  std::ranges::sort(items, {}, &Node::text);
  if (node.is(Kind::string)) items.push_back(Node::string(node.text, node.where));
  return list_of(std::move(items), node.where);
}

/// A list of names as a mapping of them.
Node as_mapping(Node node, bool depends_on) {
  if (!node.is(Kind::sequence)) return node;
  Node mapping = Node::empty(Kind::mapping, node.where);
  Setter members(mapping);
  for (const Node& item : node.items) {
    Node value = Node::empty(depends_on ? Kind::mapping : Kind::null, item.where);
    if (depends_on) {
      value.set("condition", Node::string("service_started", item.where));
      value.set("required", Node::of(true, item.where));
    }
    members.set(item.text, std::move(value));
  }
  return mapping;
}

Node as_build(Node node) {
  if (!node.is(Kind::string)) return node;
  Node mapping = Node::empty(Kind::mapping, node.where);
  mapping.set("context", std::move(node));
  return mapping;
}

std::string text_of(const Node& node, std::string_view key) {
  const Node* member = node.find(key);
  return member ? member->text : "";
}

class Merging {
 public:
  explicit Merging(Findings& findings) : findings_(findings) {}

  void members(Node& base, Node over, const Schema* at, const std::string& path) {
    std::unordered_map<std::string, std::size_t> positions;
    for (std::size_t i = 0; i < base.members.size(); ++i) positions.emplace(base.members[i].key, i);
    for (Node::Member& member : over.members) {
      auto position = positions.find(member.key);
      if (position != positions.end()) {
        Node::Member& target = base.members[position->second];
        value(target.value, std::move(member.value), at ? at->below(member.key) : nullptr,
              join(path, member.key));
        target.where = member.where;
      } else {
        base.members.push_back(std::move(member));
      }
    }
  }

  void value(Node& base, Node over, const Schema* at, const std::string& path) {
    if (over.tag != Node::Tag::none || base.tag == Node::Tag::reset) {
      base = std::move(over);
      return;
    }
    switch (at && at->shape ? at->shape->rules.merge : Merge::by_kind) {
      case Merge::by_kind: return by_kind(base, std::move(over), at, path);
      case Merge::limit:
      case Merge::replace: base = std::move(over); return;
      case Merge::pairs: return append(base, std::move(over));
      case Merge::hosts: return add_hosts(base, std::move(over));
      case Merge::build: return mappings(base, as_build(std::move(over)), as_build(base), at, path);
      case Merge::named:
        return mappings(base, as_mapping(std::move(over), false), as_mapping(base, false), at, path);
      case Merge::depends_on:
        return mappings(base, as_mapping(std::move(over), true), as_mapping(base, true), at, path);
      case Merge::logging: return logging(base, std::move(over), at, path);
      case Merge::pools: return pools(base, std::move(over), at, path);
    }
  }

 private:
  void by_kind(Node& base, Node over, const Schema* at, const std::string& path) {
    if (over.is(Kind::null)) return;
    const bool clash = base.kind != over.kind && (base.is(Kind::mapping) || base.is(Kind::sequence));
    if (clash) {
      findings_.misshape(over.where,
                         fmt::format("{} is {} here, and {} in the file before: they cannot be merged", path,
                                     describe(over.kind), describe(base.kind)),
                         "write both in the same form, or put !override before this one");
    } else if (base.is(Kind::mapping)) {
      base.where = over.where;
      members(base, std::move(over), at, path);
    } else if (base.is(Kind::sequence)) {
      for (Node& item : over.items) base.items.push_back(std::move(item));
    } else {
      base = std::move(over);
    }
  }

  /// What is tagged `!reset` is taken out of a mapping; in a list nothing has that name.
  static void append(Node& base, Node over) {
    for (const Node::Member& member : over.members) {
      if (member.value.tag == Node::Tag::reset) base.erase(member.key);
    }
    Node all = as_list(std::move(base));
    for (Node& item : as_list(std::move(over)).items) all.items.push_back(std::move(item));
    base = std::move(all);
  }

  static void add_hosts(Node& base, Node over) {
    Node all = as_list(std::move(base));
    const std::size_t before = all.items.size();
    for (Node& item : as_list(std::move(over)).items) {
      const auto end = all.items.begin() + static_cast<std::ptrdiff_t>(before);
      if (std::ranges::find(all.items.begin(), end, item.text, &Node::text) == end)
        all.items.push_back(std::move(item));
    }
    base = std::move(all);
  }

  void mappings(Node& base, Node over, Node first, const Schema* at, const std::string& path) {
    base = std::move(first);
    if (base.is(Kind::null)) {
      base = std::move(over);
    } else {
      by_kind(base, std::move(over), at, path);
    }
  }

  void logging(Node& base, Node over, const Schema* at, const std::string& path) {
    const Node *before = base.find("driver"), *now = over.find("driver");
    if (before && now && before->text != now->text) {
      base = std::move(over);
    } else {
      mappings(base, std::move(over), base, at, path);
    }
  }

  /// Pools of one subnet are one; those that the later file has not are gone.
  void pools(Node& base, Node over, const Schema* at, const std::string& path) {
    if (!base.is(Kind::sequence) || !over.is(Kind::sequence)) return by_kind(base, std::move(over), at, path);
    std::vector<Node> kept;
    auto place = [&](const Node& pool) {
      return std::ranges::find(kept, text_of(pool, "subnet"),
                               [](const Node& each) { return text_of(each, "subnet"); });
    };
    for (const Node& original : base.items) {
      for (const Node& pool : over.items) {
        if (text_of(pool, "subnet") != text_of(original, "subnet")) {
          if (place(pool) == kept.end()) kept.push_back(pool);
          continue;
        }
        Node merged = original;
        mappings(merged, pool, original, nullptr, path);
        if (auto found = place(merged); found != kept.end()) {
          *found = std::move(merged);
        } else {
          kept.push_back(std::move(merged));
        }
      }
    }
    base = list_of(std::move(kept), over.where);
  }

  Findings& findings_;
};

/// What makes an entry the same as another; nothing where it is of no form that has it.
std::optional<std::string> identity(const Node& item, Same same) {
  const bool mapping = item.is(Kind::mapping);
  auto member = [&](std::string_view key, std::string_view otherwise) {
    const Node* found = item.find(key);
    return found && found->is_scalar() ? found->text : std::string(otherwise);
  };
  auto part = [&](std::size_t which) {
    const std::size_t colon = item.text.find(':');
    if (colon == std::string::npos || which == 0) return item.text.substr(0, colon);
    return item.text.substr(colon + 1, item.text.find(':', colon + 1) - colon - 1);
  };
  if (!mapping && !item.is_scalar()) return std::nullopt;
  switch (same) {
    case Same::no: break;
    case Same::name:
      if (!mapping) return item.text.substr(0, item.text.find('='));
      break;
    case Same::text:
      if (!mapping) return item.text;
      break;
    case Same::port:
      if (!mapping) return item.text;
      return fmt::format("{}:{}:{}/{}", member("host_ip", "0.0.0.0"), member("published", ""),
                         member("target", ""), member("protocol", "tcp"));
    case Same::volume:
      if (mapping) return item.find("target") ? std::optional(member("target", "")) : std::nullopt;
      return item.text.find(':') == std::string::npos ? item.text : part(1);
    case Same::device:
      if (mapping) return item.find("target") ? std::optional(member("target", "")) : std::nullopt;
      return item.text.find(':') == std::string::npos ? item.text : part(1);
    case Same::secret:
    case Same::config: {
      const std::string directory = same == Same::secret ? "/run/secrets/" : "/";
      return mapping ? member("target", directory + member("source", "")) : directory + item.text;
    }
    case Same::path: return mapping ? member("path", "") : item.text;
  }
  return std::nullopt;
}

void remove_in(Node& node, const Schema& at) {
  if (node.is(Kind::sequence) && at.shape && at.shape->rules.same != Same::no) {
    std::unordered_map<std::string, std::size_t> positions;
    std::vector<Node> kept;
    for (Node& item : node.items) {
      auto same = identity(item, at.shape->rules.same);
      auto known = same ? positions.find(*same) : positions.end();
      if (known != positions.end()) {
        kept[known->second] = std::move(item);
        continue;
      }
      if (same) positions.emplace(std::move(*same), kept.size());
      kept.push_back(std::move(item));
    }
    node.items = std::move(kept);
  }
  for (Node::Member& member : node.members) {
    if (const Schema* below = at.below(member.key)) remove_in(member.value, *below);
  }
}

}  // namespace

void settle_tags(Node& node) {
  node.tag = Node::Tag::none;
  std::erase_if(node.members,
                [](const Node::Member& member) { return member.value.tag == Node::Tag::reset; });
  for (Node::Member& member : node.members) settle_tags(member.value);
  for (Node& item : node.items) settle_tags(item);
}

void merge(Node& base, Node over, Findings& findings, Tags tags) {
  Merging(findings).members(base, std::move(over), &schema(), "");
  if (tags == Tags::settle) settle_tags(base);
}

void merge_service(Node& base, Node over, Findings& findings) {
  static const Schema& service = *schema().below("services")->any;
  settle_tags(base);
  Merging(findings).value(base, std::move(over), &service, "services");
}

void remove_duplicates(Node& root) { remove_in(root, schema()); }

}  // namespace holdall::app
