#include "app/validate.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "app/did_you_mean.h"
#include "app/scalars.h"
#include "app/schema.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

bool is_whole(const Node& node) {
  return node.is(Kind::integer) ||
         (node.is(Kind::real) && node.real == static_cast<double>(static_cast<std::int64_t>(node.real)));
}

bool takes(Kinds kinds, const Node& node) {
  switch (node.kind) {
    case Kind::null: return kinds & kNull;
    case Kind::boolean: return kinds & kFlag;
    case Kind::integer: return kinds & (kWhole | kNumber);
    case Kind::real:
      return kinds & kNumber || (kinds & kWhole && std::abs(node.real) < 1e15 && is_whole(node));
    case Kind::timestamp: return kinds == kAnything;
    case Kind::string: return kinds & kText;
    case Kind::sequence: return kinds & kList;
    case Kind::mapping: return kinds & kMap;
  }
  return false;
}

/// "a string, a list or a mapping". What a text is taken for says the other kind beside it.
std::string describe(Kinds kinds) {
  std::vector<std::string> words;
  const bool typed = kinds & (kFlag | kWhole | kNumber) && !(kinds & (kList | kMap | kNull));
  if (kinds & kText && (!typed || kinds == (kText | kNumber | kFlag))) words.emplace_back("a string");
  if (kinds & kFlag) words.emplace_back("true or false");
  if (kinds & kNumber) {
    words.emplace_back("a number");
  } else if (kinds & kWhole) {
    words.emplace_back("an integer");
  }
  if (kinds & kList) words.emplace_back("a list");
  if (kinds & kMap) words.emplace_back("a mapping");
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return text;
}

bool is_one_of(std::string_view text, std::string_view words) {
  while (true) {
    const std::size_t bar = words.find('|');
    if (text == words.substr(0, bar)) return true;
    if (bar == std::string_view::npos) return false;
    words.remove_prefix(bar + 1);
  }
}

std::vector<std::string_view> words_of(std::string_view list) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find('|', at), list.size());
    words.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string listed(std::string_view words) {
  std::string text;
  for (char c : words) text += c == '|' ? std::string(", ") : std::string(1, c);
  const std::size_t last = text.rfind(", ");
  if (last != std::string::npos) text.replace(last, 2, " or ");
  return text;
}

class Validation {
 public:
  explicit Validation(Findings& findings) : findings_(findings) {}

  void document(Node& root) { section(root, schema(), nullptr, ""); }

 private:
  /// False if the node is to be left out.
  bool value(Node& node, const Schema& at, const std::string& path) {
    if (node.tag == Node::Tag::reset) return true;
    const Rules& rules = at.shape->rules;
    const bool timed = at.shape->as == As::duration || at.shape->as == As::duration_kept;
    if (timed && (node.is(Kind::integer) || node.is(Kind::real))) {
      return refuse(node.where,
                    fmt::format("{} must be a duration, and this is a number without a unit", path),
                    fmt::format("write {0}s for {0} seconds", node.text));
    }
    if (node.is(Kind::boolean) && at.shape->path == "services.*.restart" && !node.integer)
      return refuse(node.where, fmt::format("{} must be a string, and this is false", path),
                    "write \"no\", in quotes");
    if (!kind(node, at.shape->takes, path)) return false;
    if (at.shape->as == As::anything && at.members.empty() && !at.any)
      return true;  // who uses it has the rules
    if (node.is(Kind::string)) return text(node, rules, path);
    if (node.is(Kind::integer) || node.is(Kind::real)) return number(node, rules, path);
    if (node.is(Kind::sequence)) return list(node, at, path);
    if (!node.is(Kind::mapping)) return true;
    if (at.shape->as == As::names) return names(node, at, path);
    if (rules.values) return pairs(node, rules, path);
    return section(node, at, &rules, path);
  }

  bool refuse(const Where& where, std::string what, std::string hint = "") {
    findings_.misshape(where, std::move(what), std::move(hint));
    return false;
  }

  bool kind(const Node& node, Kinds kinds, const std::string& path) {
    if (takes(kinds, node)) return true;
    if (node.is(Kind::null))
      return refuse(node.where, path + " is empty", "give it a value, or remove the key");
    return refuse(
        node.where,
        fmt::format("{} must be {}, and this is {}", path, describe(kinds), app::describe(node.kind)),
        remedy(node, kinds));
  }

  static std::string remedy(const Node& node, Kinds kinds) {
    if (node.is_scalar() && kinds & kText) return fmt::format("put it in quotes: \"{}\"", node.text);
    if (node.is(Kind::sequence) && kinds & kMap) return "write its entries as 'name: value', without '- '";
    if (node.is(Kind::mapping) && kinds & kList) return "write each entry on a line of its own, after '- '";
    if (node.is(Kind::mapping) && kinds == kText)
      return "put the whole entry in quotes, or write all of them without '- '";
    return "";
  }

  bool text(const Node& node, const Rules& rules, const std::string& path) {
    if (!rules.one_of.empty() && !is_one_of(node.text, rules.one_of)) {
      const std::string_view near = nearest(words_of(rules.one_of), node.text);
      const std::string meant = near.empty() ? "" : fmt::format("did you mean '{}'? ", near);
      return refuse(node.where, fmt::format("{}: '{}' is none", path, node.text),
                    meant + fmt::format("it is {}", listed(rules.one_of)));
    }
    if (rules.fits && !rules.fits(node.text))
      return refuse(node.where, fmt::format("{}: '{}' is none", path, node.text));
    return true;
  }

  bool number(const Node& node, const Rules& rules, const std::string& path) {
    if (node.real < static_cast<double>(rules.least)) {
      return refuse(node.where,
                    fmt::format("{} must be at least {}, and this is {}", path, rules.least, node.text));
    }
    if (node.real > static_cast<double>(rules.most)) {
      return refuse(node.where,
                    fmt::format("{} must be at most {}, and this is {}", path, rules.most, node.text));
    }
    return true;
  }

  bool list(Node& node, const Schema& at, const std::string& path) {
    const Rules& rules = at.shape->rules;
    std::vector<Node> kept;
    std::unordered_multimap<std::size_t, std::size_t> known;  // by hash: where in `kept`
    std::size_t index = 0;
    for (Node& item : node.items) {
      const std::string below = join(path, std::to_string(index++));
      if (!kind(item, rules.items, below)) continue;
      if (item.is(Kind::mapping) && at.any && !value(item, *at.any, below)) continue;
      if (rules.distinct && is_there(kept, known, item)) {
        refuse(item.where, fmt::format("{} is there twice: {}", below, item.text), "remove one of them");
        continue;
      }
      kept.push_back(std::move(item));
    }
    node.items = std::move(kept);
    return true;
  }

  /// Whether one of `kept` is the same. If none is, the item is noted as the one that is kept next.
  static bool is_there(const std::vector<Node>& kept,
                       std::unordered_multimap<std::size_t, std::size_t>& known, const Node& item) {
    const std::size_t hash = hash_value(item);
    const auto [first, last] = known.equal_range(hash);
    if (std::any_of(first, last, [&](const auto& each) { return same_value(kept[each.second], item); }))
      return true;
    known.emplace(hash, kept.size());
    return false;
  }

  bool names(Node& node, const Schema& at, const std::string& path) {
    std::erase_if(node.members, [&](Node::Member& member) {
      const std::string below = join(path, member.key);
      if (!is_name(member.key) && !at.shape->rules.open) {
        return !refuse(member.where, fmt::format("{}: '{}' is no name", path, member.key),
                       "names are letters, digits, '.', '_' and '-'");
      }
      if (!is_name(member.key) || value(member.value, *at.any, below)) return false;
      // That there is one of this name is as true as before.
      member.value = Node::empty(Kind::mapping, member.value.where);
      return false;
    });
    return true;
  }

  bool pairs(Node& node, const Rules& rules, const std::string& path) {
    std::erase_if(node.members, [&](Node::Member& member) {
      if (member.key.empty() && !rules.open)
        return !refuse(member.where, fmt::format("{} has a value without a name", path), "write NAME: value");
      if (!kind(member.value, rules.values, join(path, member.key))) return true;
      if (!member.value.is(Kind::sequence)) return false;
      for (const Node& item : member.value.items) {
        if (!kind(item, rules.values & ~kList, join(path, member.key))) return true;
      }
      return false;
    });
    return true;
  }

  bool section(Node& node, const Schema& at, const Rules* rules, const std::string& path) {
    std::set<std::string, std::less<>> written;
    for (const Node::Member& member : node.members) written.insert(member.key);
    std::erase_if(node.members, [&](Node::Member& member) {
      const Schema* below = at.any ? at.any : at.below(member.key);
      const std::string name = join(path, member.key);
      if (below) return !value(member.value, *below, name);
      if (member.key == "x-holdall") {
        return !refuse(member.where,
                       fmt::format("{}: x-holdall stands at the top level and in a service", name),
                       "move it there");
      }
      if (is_extension(member.key) && (!rules || rules->extensions)) return false;
      return !(rules && rules->open) && !unknown(member, at, name);
    });
    return all_there(node, written, at, path);
  }

  bool unknown(const Node::Member& member, const Schema& at, const std::string& path) {
    std::string_view parent = path;
    parent.remove_suffix(std::min(parent.size(), member.key.size() + 1));
    return refuse(member.where, fmt::format("{}: there is no such key", path),
                  remedy_of_unknown(at, parent, member));
  }

  /// `written` are its keys, those included that are left out for what they hold.
  bool all_there(const Node& node, const std::set<std::string, std::less<>>& written, const Schema& at,
                 const std::string& path) {
    bool good = true;
    for (const auto& [name, below] : at.members) {
      if (!below->shape || !below->shape->rules.required || written.contains(name)) continue;
      const std::string_view first =
          below->shape->rules.one_of.substr(0, below->shape->rules.one_of.find('|'));
      good = refuse(node.where, fmt::format("{} has no {}", path, name),
                    fmt::format("write '{}: {}'", name, first.empty() ? "..." : first));
    }
    return good;
  }

  Findings& findings_;
};

}  // namespace

void validate(Node& root, Findings& findings) { Validation(findings).document(root); }

}  // namespace holdall::app
