#include "app/interpolate.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdall::app {
namespace {

// Of all values together: a long variable named in each of a hundred thousand values.
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

constexpr const char* kWhereSecretsGo =
    "give it to a service: as a bare name or inside a value of its environment, or as a file of its secrets";

bool is_extension(const std::string& key) { return key.starts_with("x-") && key != "x-holdall"; }

class Interpolation {
 public:
  Interpolation(const Lookup& lookup, const std::set<std::string>& secrets, Unset& unset, VariableUse& use,
                Findings& findings)
      : lookup_(lookup), secrets_(secrets), unset_(unset), use_(use), findings_(findings) {}

  void root(Node& node) {
    for (Node::Member& member : node.members) {
      if (member.key == "services" && member.value.is(Node::Kind::mapping)) {
        for (Node::Member& each : member.value.members) service(each.value, "services." + each.key);
      } else {
        visit(member.value, member.key, is_extension(member.key));
      }
    }
  }

 private:
  /// What is written under `x-` has no effect where it stands, only where YAML's aliases take it.
  void visit(Node& node, const std::string& path, bool extension) {
    if (node.is(Node::Kind::string)) return replace(node, path, extension);
    for (std::size_t i = 0; i < node.items.size(); ++i)
      visit(node.items[i], fmt::format("{}.{}", path, i), extension);
    for (Node::Member& member : node.members)
      visit(member.value, fmt::format("{}.{}", path, member.key), extension || is_extension(member.key));
  }

  void service(Node& node, const std::string& path) {
    if (!node.is(Node::Kind::mapping)) return visit(node, path, false);
    for (Node::Member& member : node.members) {
      const std::string below = fmt::format("{}.{}", path, member.key);
      if (member.key != "environment") {
        visit(member.value, below, is_extension(member.key));
        continue;
      }
      for (Node::Member& pair : member.value.members)
        make_template(pair.value, fmt::format("{}.{}", below, pair.key));
      for (Node& item : member.value.items) make_pair(item, below);
    }
  }

  void replace(Node& node, const std::string& path, bool extension) {
    std::set<std::string> misplaced;
    Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
      if (!secrets_.contains(name) && !extension) use_.elsewhere.try_emplace(name, text(node.where));
      if (!secrets_.contains(name)) return lookup_(name);
      if (extension) return "${" + name + "}";
      misplaced.insert(name);
      return "";
    };
    substitute_in(node, path, lookup, "$");
    for (const std::string& name : misplaced) {
      findings_.refuse(node.where, fmt::format("{}: {} is a secret, and would be seen here", path, name),
                       kWhereSecretsGo);
    }
  }

  void make_template(Node& node, const std::string& path) {
    note_template(path, node.is(Node::Kind::string) ? node.text : "");
    fill_template(node, path);
  }

  void fill_template(Node& node, const std::string& path) {
    if (!node.is(Node::Kind::string)) return;
    Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
      if (secrets_.contains(name)) return "${" + name + "}";
      auto value = lookup_(name);
      return value ? std::optional(escape_dollars(*value)) : std::nullopt;
    };
    substitute_in(node, path, lookup, "$$");
  }

  /// The value of a later file stands for that of an earlier one.
  void note_template(const std::string& path, const std::string& text) {
    bool any = false;
    for (const std::string& name : variables_in(text)) any = any || !secrets_.contains(name);
    if (any) {
      use_.templates[path] = text;
    } else {
      use_.templates.erase(path);
    }
  }

  /// `NAME=value`, of which the value is a template and the name is none.
  void make_pair(Node& item, const std::string& path) {
    if (!item.is(Node::Kind::string)) return;
    const std::size_t equals = std::min(item.text.find('='), item.text.size());
    const std::string written = item.text.substr(0, equals);
    for (const std::string& variable : variables_in(written))
      use_.elsewhere.try_emplace(variable, text(item.where));
    if (equals < item.text.size()) note_template(path + "." + written, item.text.substr(equals + 1));
    fill_template(item, path);
    std::string name = item.text.substr(0, item.text.find('='));
    std::string value = item.text.substr(name.size());
    std::string plain = unescape_dollars(name);
    if (escape_dollars(plain) != name) {
      findings_.misshape(item.where, fmt::format("{}: a secret is no name of a variable", path),
                         kWhereSecretsGo);
      plain = "_";
    }
    item.text = plain + value;
  }

  void substitute_in(Node& node, const std::string& path, const Lookup& lookup, std::string_view dollar) {
    if (node.text.find('$') == std::string::npos || spent_ > kMostBytes) return;
    auto note_unset = [&](const std::string& name) { unset_[name].push_back(node.where); };
    Substituted result = substitute(node.text, lookup, note_unset, dollar);
    spent_ += result.text.size();
    if (!result.error.empty()) {
      findings_.misshape(node.where, fmt::format("{}: {}", path, result.error));
      node.text.clear();
    } else if (spent_ > kMostBytes) {
      findings_.misshape(node.where, fmt::format("{}: the values grow over 64 MiB", path));
      node.text.clear();
    } else {
      node.text = std::move(result.text);
    }
  }

  const Lookup& lookup_;
  const std::set<std::string>& secrets_;
  Unset& unset_;
  VariableUse& use_;
  Findings& findings_;
  std::size_t spent_ = 0;
};

}  // namespace

void interpolate(Node& root, const Lookup& lookup, const std::set<std::string>& secrets, Unset& unset,
                 VariableUse& use, Findings& findings) {
  Interpolation(lookup, secrets, unset, use, findings).root(root);
}

}  // namespace holdall::app
