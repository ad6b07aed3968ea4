#include "app/merge.h"

#include <map>

#include <fmt/format.h>

#include "app/canonical.h"
#include "app/keys.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

std::string text_of(const Node& node, std::string_view key) {
  const Node* member = node.find(key);
  return member ? member->text : "";
}

/// What makes two entries of a list the same one.
std::string identity(const Node& item, Form form) {
  if (form == Form::ports) {
    return fmt::format("{}:{}:{}/{}", text_of(item, "host_ip"), text_of(item, "published"),
                       text_of(item, "target"), text_of(item, "protocol"));
  }
  if (form == Form::secret_files) return text_of(item, "target");
  return form == Form::env_files ? text_of(item, "path") : item.text;
}

/// Of entries with one identity the last stays, at the first one's place.
void remove_duplicates(Node& list, Form form) {
  bool unique = form == Form::ports || form == Form::env_files || form == Form::secret_files ||
                form == Form::expose || form == Form::texts;
  if (!unique) return;
  std::map<std::string, std::size_t> positions;
  std::vector<Node> kept;
  for (Node& item : list.items) {
    auto [position, fresh] = positions.emplace(identity(item, form), kept.size());
    if (fresh) {
      kept.push_back(std::move(item));
    } else {
      kept[position->second] = std::move(item);
    }
  }
  list.items = std::move(kept);
}

bool replaces(const Key* key, std::string_view pattern) {
  bool argument_list = key && (key->form == Form::command || key->form == Form::test);
  return argument_list || pattern.find("x-holdall") != std::string_view::npos;
}

void merge_value(Node& base, Node over, const std::string& pattern, const std::string& path,
                 Findings& findings);

void merge_members(Node& base, Node over, const std::string& pattern, const std::string& path,
                   Findings& findings) {
  std::map<std::string, std::size_t> positions;
  for (std::size_t i = 0; i < base.members.size(); ++i) positions.emplace(base.members[i].key, i);
  std::vector<std::string> reset;
  for (Node::Member& member : over.members) {
    std::string below = path.empty() ? member.key : fmt::format("{}.{}", path, member.key);
    auto position = positions.find(member.key);
    if (member.value.tag == Node::Tag::reset) {
      reset.push_back(member.key);
    } else if (position == positions.end()) {
      // Laid over nothing, so that what is tagged or named twice inside it is settled too.
      Node empty = Node::empty(member.value.kind, member.value.where);
      if (member.value.is_scalar()) empty = member.value;
      merge_value(empty, std::move(member.value), pattern_below(pattern, member.key), below, findings);
      base.members.push_back({member.key, member.where, std::move(empty)});
    } else {
      Node::Member& target = base.members[position->second];
      merge_value(target.value, std::move(member.value), pattern_below(pattern, member.key), below, findings);
      target.where = member.where;
    }
  }
  for (const std::string& key : reset) base.erase(key);
}

void merge_value(Node& base, Node over, const std::string& pattern, const std::string& path,
                 Findings& findings) {
  const Key* key = find_key(pattern);
  Form form = key ? key->form : Form::anything;
  if (over.is(Kind::null) && over.tag == Node::Tag::none) {
    if (form == Form::command || form == Form::test) base = std::move(over);
    return;
  }
  if (over.tag == Node::Tag::override_) {
    over.tag = Node::Tag::none;
    base = Node::empty(over.kind, over.where);
  }
  bool clash = base.kind != over.kind && !base.is(Kind::null) && !(base.is_scalar() && over.is_scalar());
  if (clash && !replaces(key, pattern)) {
    findings.misshape(over.where,
                      fmt::format("{} is {} here, and {} in the file before: they cannot be merged", path,
                                  describe(over.kind), describe(base.kind)),
                      "write both in the same form, or put !override before this one");
  } else if (over.is(Kind::mapping) && base.is(Kind::mapping)) {
    merge_members(base, std::move(over), pattern, path, findings);
  } else if (over.is(Kind::mapping)) {
    base = Node::empty(Kind::mapping, over.where);
    merge_members(base, std::move(over), pattern, path, findings);
  } else if (over.is(Kind::sequence) && base.is(Kind::sequence) && !replaces(key, pattern)) {
    for (Node& item : over.items) base.items.push_back(std::move(item));
    remove_duplicates(base, form);
  } else {
    base = std::move(over);
  }
}

}  // namespace

void merge(Node& base, Node over, Findings& findings) {
  merge_members(base, std::move(over), "", "", findings);
}

}  // namespace holdall::app
