#include "app/normalise.h"

#include <array>

#include <fmt/format.h>

#include "app/schema.h"
#include "app/volumes.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

constexpr std::string_view kService = "service:", kContainer = "container:";

class Normaliser {
 public:
  Normaliser(const NormaliseOptions& options, Findings& findings) : options_(options), findings_(findings) {}

  void project(Node& root) {
    Where named = root.find("name") ? root.find("name")->where : root.where;
    root.erase("name");
    root.members.insert(root.members.begin(), {"name", named, Node::string(options_.name, named)});
    networks(root);
    if (Node* services = root.find("services")) {
      for (Node::Member& member : services->members) service(member);
    }
    for (std::string_view kind : {"networks", "volumes", "configs", "secrets"}) names(root, kind);
  }

 private:
  static void networks(Node& root) {
    Node* services = root.find("services");
    bool used = false;
    if (services) {
      for (Node::Member& member : services->members) used |= default_network(member.value);
    }
    if (!used) return;
    if (!root.find("networks")) root.set("networks", Node::empty(Kind::mapping, root.where));
    Node& networks = *root.find("networks");
    if (!networks.find("default")) networks.set("default", Node::empty(Kind::null, root.where));
  }

  /// Whether the service is on it, which it is where nothing else is written.
  static bool default_network(Node& service) {
    if (!service.is(Kind::mapping) || service.find("provider") || service.find("network_mode")) return false;
    Node* networks = service.find("networks");
    if (!networks || networks->members.empty()) {
      Node alone = Node::empty(Kind::mapping, service.where);
      alone.set("default", Node::empty(Kind::null, service.where));
      service.set("networks", std::move(alone));
      return true;
    }
    return networks->find("default") != nullptr;
  }

  void service(Node::Member& member) {
    Node& node = member.value;
    const std::string path = "services." + member.key;
    if (Node* policy = node.find("pull_policy"); policy && policy->text == "if_not_present")
      policy->text = "missing";
    if (Node* written = node.find("build")) build(*written, path);
    if (Node* variables = node.find("environment")) fill_in(*variables, path + ".environment", true);
    depend(node);
    if (Node* volumes = node.find("volumes")) {
      for (Node& volume : volumes->items) {
        Node* target = volume.find("target");
        if (target) target->text = clean_path(target->text);
      }
    }
  }

  void build(Node& node, const std::string& path) {
    if (!node.is(Kind::mapping)) return;
    if (!node.find("context")) node.set("context", Node::string(".", node.where));
    if (!node.find("dockerfile") && !node.find("dockerfile_inline"))
      node.set("dockerfile", Node::string("Dockerfile", node.where));
    Node* args = node.find("args");
    if (!args) return;
    fill_in(*args, path + ".build.args", false);
    std::erase_if(args->members, [](const Node::Member& member) { return member.value.is(Kind::null); });
    std::erase_if(args->items, [](const Node& item) { return item.text.find('=') == std::string::npos; });
  }

  /// Gives names without a value the caller's, or the secret's of that name. `templates`: their values are
  /// such.
  void fill_in(Node& pairs, const std::string& path, bool templates) {
    for (Node::Member& member : pairs.members) {
      if (member.value.is(Kind::null)) {
        if (auto value = value_of(member.key, member.where, path, templates))
          member.value = Node::string(std::move(*value), member.where);
      }
    }
    for (Node& item : pairs.items) {
      if (item.text.find('=') != std::string::npos) continue;
      if (auto value = value_of(item.text, item.where, path, templates)) item.text += "=" + *value;
    }
  }

  std::optional<std::string> value_of(const std::string& name, const Where& where, const std::string& path,
                                      bool templates) {
    const auto value = options_.variables(name);
    if (options_.secrets.contains(name)) {
      if (templates) return "${" + name + "}";
      findings_.refuse(where, fmt::format("{}.{} is a secret, and would be seen here", path, name),
                       "remove it: a secret is for instances alone");
      return std::nullopt;
    }
    if (value) {
      if (!templates) options_.use.elsewhere.try_emplace(name, text(where));
      if (templates) options_.use.templates[path + "." + name] = "${" + name + "}";
      return templates ? escape_dollars(*value) : *value;
    }
    if (options_.release) {
      findings_.refuse(
          where, fmt::format("{}.{} has no value, and a release sees nobody's shell", path, name),
          fmt::format("write its value here or in an env_file, or seal it: holdall secrets seal {}", name));
    }
    return std::nullopt;
  }

  static void depend(Node& service) {
    if (const Node* links = service.find("links")) {
      for (const Node& link : std::vector<Node>(links->items)) {
        const std::size_t colon = link.text.find(':');
        const bool alias = colon != std::string::npos && link.text.find(':', colon + 1) == std::string::npos;
        depend_on(service, alias ? link.text.substr(0, colon) : link.text, true, link.where);
      }
    }
    for (std::string_view key : {"network_mode", "ipc", "pid", "uts", "cgroup"}) {
      const Node* shared = service.find(key);
      if (shared && shared->text.starts_with(kService)) {
        const Where where = shared->where;
        depend_on(service, shared->text.substr(kService.size()), true, where);
      }
    }
    if (const Node* from = service.find("volumes_from")) {
      for (const Node& each : std::vector<Node>(from->items)) {
        if (!each.text.starts_with(kContainer))
          depend_on(service, each.text.substr(0, each.text.find(':')), false, each.where);
      }
    }
  }

  static void depend_on(Node& service, const std::string& name, bool restart, const Where& where) {
    if (!service.find("depends_on")) service.set("depends_on", Node::empty(Kind::mapping, where));
    Node& all = *service.find("depends_on");
    if (all.find(name)) return;
    Node entry = Node::empty(Kind::mapping, where);
    entry.set("condition", Node::string("service_started", where));
    entry.set("restart", Node::of(restart, where));
    entry.set("required", Node::of(true, where));
    all.set(name, std::move(entry));
  }

  void names(Node& root, std::string_view kind) const {
    Node* resources = root.find(kind);
    if (!resources) return;
    for (Node::Member& member : resources->members) {
      if (member.value.is(Kind::null)) member.value = Node::empty(Kind::mapping, member.value.where);
      if (member.value.find("name")) continue;
      const Node* external = member.value.find("external");
      const bool is_external = external && (external->text == "true" || external->text == "1");
      member.value.set(
          "name", Node::string(is_external ? member.key : fmt::format("{}_{}", options_.name, member.key),
                               member.where));
    }
  }

  const NormaliseOptions& options_;
  Findings& findings_;
};

}  // namespace

void normalise(Node& root, const NormaliseOptions& options, Findings& findings) {
  Normaliser(options, findings).project(root);
}

}  // namespace holdall::app
