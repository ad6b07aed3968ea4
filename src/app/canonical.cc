#include "app/canonical.h"

#include <fmt/format.h>

#include "app/canonical_values.h"
#include "app/keys.h"

namespace holdall::app {
namespace {

bool is_extension(std::string_view key) { return key.starts_with("x-"); }

std::string join(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

bool is_named(const Key* key) {
  return key && (key->form == Form::named || key->form == Form::depends_on || key->form == Form::env_files ||
                 key->form == Form::ports || key->form == Form::secret_files);
}

bool null_means_something(Form form) {
  return form == Form::command || form == Form::test || form == Form::anything;
}

class Canonical {
 public:
  explicit Canonical(Findings& findings) : findings_(findings) {}

  void mapping(Node& node, const std::string& pattern, const std::string& path) {
    std::vector<Node::Member> kept;
    for (Node::Member& member : node.members) {
      std::string below = join(path, member.key);
      std::string row = pattern_below(pattern, member.key);
      if (is_extension(member.key) && member.key != "x-holdall") {
        kept.push_back(std::move(member));
      } else if (const Key* key = find_key(row)) {
        if (!admit(*key, member, below)) continue;
        if (member.value.tag == Node::Tag::reset || value(member.value, *key, row, below))
          kept.push_back(std::move(member));
      } else if (member.key == "x-holdall") {
        findings_.refuse(member.where,
                         fmt::format("{}: x-holdall stands at the top level and in a service", below),
                         "move it there");
      } else {
        unknown(member, pattern, below);
      }
    }
    node.members = std::move(kept);
  }

 private:
  /// Reports what the table says of a key; false if it is refused.
  bool admit(const Key& key, const Node::Member& member, const std::string& path) {
    if (key.support == Support::refused) {
      findings_.refuse(member.where, fmt::format("{} is refused: {}", path, key.note),
                       std::string(key.remedy));
      bool brings_more =
          key.path == "services.*.extends" || key.path == "services.*.provider" || key.path == "include";
      findings_.incomplete |= brings_more;
      return false;
    }
    if (key.support == Support::different && key.note.starts_with("without effect")) {
      findings_.warn(member.where, fmt::format("{} is {}", path, key.note));
    }
    if (key.path == "version") {
      findings_.warn(member.where, "version is obsolete and without effect", "remove it");
      return false;
    }
    return true;
  }

  void unknown(const Node::Member& member, const std::string& pattern, const std::string& path) {
    std::string_view near = nearest_key(pattern, member.key);
    std::string hint = near.empty() ? "remove it; a key of your own begins with x-"
                                    : fmt::format("did you mean '{}'?", near);
    findings_.refuse(member.where, fmt::format("{}: there is no such key", path), std::move(hint));
  }

  /// False if the value is not of the key's form and is to be left out.
  bool value(Node& node, const Key& key, const std::string& row, const std::string& path) {
    if (node.is(Node::Kind::null)) return true;
    if (!make_canonical_value(node, key.form, path, findings_)) return false;
    if (is_named(&key)) {
      if (key.form == Form::named) return members_of_names(node, row, path);
      for (Node& item : node.items) mapping(item, row + ".*", path + ".*");
      for (Node::Member& member : node.members) {
        if (member.value.is(Node::Kind::mapping)) mapping(member.value, row + ".*", join(path, member.key));
      }
    } else if (key.form == Form::mapping || key.form == Form::build) {
      mapping(node, row, path);
    }
    return true;
  }

  bool members_of_names(Node& node, const std::string& row, const std::string& path) {
    std::vector<Node::Member> kept;
    for (Node::Member& member : node.members) {
      std::string below = join(path, member.key);
      if (!is_service_name(member.key)) {
        findings_.misshape(member.where, fmt::format("{}: '{}' is no name", path, member.key),
                           "names are letters, digits, '.', '_' and '-'");
      } else if (is_extension(member.key) && !member.value.is(Node::Kind::mapping)) {
        kept.push_back(std::move(member));
      } else if (member.value.tag == Node::Tag::reset) {
        kept.push_back(std::move(member));
      } else if (!member.value.is(Node::Kind::mapping)) {
        findings_.misshape(member.value.where, fmt::format("{} must be a mapping, and this is {}", below,
                                                           describe(member.value.kind)));
      } else {
        mapping(member.value, row + ".*", below);
        kept.push_back(std::move(member));
      }
    }
    node.members = std::move(kept);
    return true;
  }

  Findings& findings_;
};

void check_nulls_below(Node& node, const std::string& pattern, const std::string& path, Findings& findings) {
  std::vector<Node::Member> kept;
  for (Node::Member& member : node.members) {
    std::string row = pattern_below(pattern, member.key);
    const Key* key = find_key(row);
    if (member.value.is(Node::Kind::null) && key && !null_means_something(key->form)) {
      if (row == "services.*.deploy") continue;  // the schema lets this one alone be null
      findings.misshape(member.where, fmt::format("{} is empty", join(path, member.key)),
                        "give it a value, or remove the key");
      continue;
    }
    if (key || pattern == "services") check_nulls_below(member.value, row, join(path, member.key), findings);
    kept.push_back(std::move(member));
  }
  node.members = std::move(kept);
}

}  // namespace

std::string pattern_below(std::string_view pattern, std::string_view key) {
  const Key* parent = find_key(pattern);
  return join(pattern, is_named(parent) ? "*" : key);
}

void make_canonical(Node& root, Findings& findings) { Canonical(findings).mapping(root, "", ""); }

void check_nulls(Node& root, Findings& findings) { check_nulls_below(root, "", "", findings); }

}  // namespace holdall::app
