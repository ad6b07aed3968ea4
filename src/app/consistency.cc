#include "app/consistency.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "app/did_you_mean.h"
#include "app/order.h"
#include "app/schema.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

std::string text_of(const Node& node, std::string_view key) {
  const Node* member = node.find(key);
  return member ? member->text : "";
}

const Node* find(const Node& node, std::initializer_list<std::string_view> path) {
  const Node* at = &node;
  for (std::string_view key : path) at = at ? at->find(key) : nullptr;
  return at;
}

bool is_active(const Node& service, const std::vector<std::string>& wanted) {
  const Node* profiles = service.find("profiles");
  if (!profiles || profiles->items.empty()) return true;
  return std::ranges::any_of(wanted, [&](const std::string& name) {
    return name == "*" || std::ranges::find(profiles->items, name, &Node::text) != profiles->items.end();
  });
}

class Consistency {
 public:
  Consistency(Node& root, const std::set<std::string>& inactive, Findings& findings)
      : root_(root), inactive_(inactive), findings_(findings), whole_(findings.misshapen == 0) {}

  void check() {
    Node* services = root_.find("services");
    if (!services) return;
    for (const Node::Member& member : services->members) names_.insert(member.key);
    for (Node::Member& member : services->members) {
      path_ = "services." + member.key;
      where_ = member.where;
      service(member.value);
    }
    secrets();
    cycles(*services);
  }

 private:
  void refuse(const Node* node, std::string what, std::string hint = "") {
    findings_.misshape(node ? node->where : where_, fmt::format("{}{}", path_, what), std::move(hint));
  }

  bool is_declared(std::string_view kind, const std::string& name) const {
    const Node* resources = root_.find(kind);
    if (!whole_ && (!resources || name.empty())) return true;
    return resources && resources->find(name);
  }

  void service(Node& node) {
    const Node* build = node.find("build");
    if (whole_ && !build && !node.find("image") && !node.find("provider"))
      refuse(nullptr, " has neither image nor build", "write 'build: .' to run it from this directory");
    if (build) check_build(node, *build);
    check_networks(node);
    if (const Node* test = find(node, {"healthcheck", "test"}); test && whole_) {
      const std::string& first = test->items.front().text;
      if (first != "CMD" && first != "CMD-SHELL" && first != "NONE")
        refuse(
            test,
            fmt::format(".healthcheck.test must begin with CMD, CMD-SHELL or NONE, and this begins with '{}'",
                        first),
            "put \"CMD\" before it");
    }
    check_dependencies(node);
    check_resources(node);
    check_numbers(node);
    check_mounts(node);
    if (const Node* watch = find(node, {"develop", "watch"})) {
      for (const Node& trigger : watch->items) {
        const std::string action = text_of(trigger, "action");
        if (whole_ && !trigger.find("target") && action != "rebuild" && action != "restart")
          refuse(&trigger, fmt::format(".develop.watch: {} needs a target", action), "write 'target: /path'");
      }
    }
    const std::string container = text_of(node, "container_name");
    if (container.empty()) return;
    auto [other, fresh] = containers_.emplace(container, path_);
    if (!fresh)
      refuse(node.find("container_name"),
             fmt::format(".container_name: {} has the name '{}' too", other->second, container));
  }

  void check_build(const Node& node, const Node& build) {
    if (build.find("dockerfile") && build.find("dockerfile_inline"))
      refuse(&build, ".build has both dockerfile and dockerfile_inline", "keep one of them");
    if (const Node* contexts = build.find("additional_contexts")) {
      constexpr std::string_view prefix = "service:";
      for (const Node::Member& context : contexts->members) {
        if (!context.value.text.starts_with(prefix)) continue;
        const std::string name = context.value.text.substr(prefix.size());
        const Node* other = find(root_, {"services", name});
        if (!other) {
          refuse(&context.value, fmt::format(".build.additional_contexts: there is no service '{}'", name));
        } else if (!other->find("build")) {
          refuse(&context.value, fmt::format(".build.additional_contexts: service '{}' has no build", name));
        }
      }
    }
    const Node *platforms = build.find("platforms"), *platform = node.find("platform");
    if (platforms && platform &&
        std::ranges::find(platforms->items, platform->text, &Node::text) == platforms->items.end())
      refuse(platform, fmt::format(".platform: {} is not among build.platforms", platform->text),
             "add it there");
    if (const Node* secrets = build.find("secrets")) sources(*secrets, "secrets", ".build.secrets");
  }

  /// Which of the names under a top-level key was meant, else how to declare it.
  std::string meant(std::string_view kind, std::string_view name, std::string otherwise) const {
    std::vector<std::string_view> names;
    if (const Node* resources = root_.find(kind)) {
      for (const Node::Member& member : resources->members) names.push_back(member.key);
    }
    return did_you_mean(names, name, std::move(otherwise));
  }

  void sources(const Node& list, std::string_view kind, std::string_view key) {
    for (const Node& item : list.items) {
      const std::string source = text_of(item, "source");
      if (is_declared(kind, source)) continue;
      const Node* place = item.find("source");
      const bool secret = kind == "secrets";
      refuse(place ? place : &item,
             fmt::format("{}: there is no {} '{}'", key, secret ? "secret" : "config", source),
             meant(kind, source,
                   fmt::format("declare it at the top level: '{}: {{{}: {{{}}}}}'", kind, source,
                               secret ? "environment: NAME" : "file: ./" + source)));
    }
  }

  void check_networks(const Node& node) {
    const Node *mode = node.find("network_mode"), *networks = node.find("networks");
    if (mode && networks) refuse(mode, " has both network_mode and networks", "keep one of them");
    if (networks) {
      for (const Node::Member& network : networks->members) {
        if (!is_declared("networks", network.key))
          findings_.misshape(
              network.where, fmt::format("{}.networks: there is no network '{}'", path_, network.key),
              meant("networks", network.key,
                    fmt::format("declare it at the top level: 'networks: {{{}: {{}}}}'", network.key)));
      }
    }
    constexpr std::string_view prefix = "service:";
    if (mode && mode->text.starts_with(prefix) && !names_.contains(mode->text.substr(prefix.size())))
      refuse(mode, fmt::format(".network_mode: there is no service '{}'", mode->text.substr(prefix.size())),
             meant("services", mode->text.substr(prefix.size()), ""));
  }

  void check_dependencies(const Node& node) {
    const Node* all = node.find("depends_on");
    if (!all) return;
    for (const Node::Member& entry : all->members) {
      if (names_.contains(entry.key) || (!whole_ && entry.key.empty())) continue;
      const Node* required = entry.value.find("required");
      const bool inactive = inactive_.contains(entry.key);
      if (inactive && required && required->integer == 0) continue;
      findings_.misshape(
          entry.where,
          fmt::format("{}.depends_on: {}", path_,
                      inactive ? fmt::format("service '{}' is in a profile that is not active", entry.key)
                               : fmt::format("there is no service '{}'", entry.key)),
          inactive ? "activate it with --profile, or write 'required: false'"
                   : meant("services", entry.key, ""));
    }
  }

  void check_resources(const Node& node) {
    if (const Node* volumes = node.find("volumes")) {
      for (const Node& volume : volumes->items) {
        const std::string source = text_of(volume, "source");
        if (text_of(volume, "type") != "volume" || source.empty() || is_declared("volumes", source)) continue;
        refuse(
            &volume, fmt::format(".volumes: there is no volume '{}'", source),
            meant("volumes", source,
                  fmt::format("declare it at the top level: 'volumes: {{{}: {{}}}}'; a directory begins with "
                              "./ or /",
                              source)));
      }
    }
    if (const Node* configs = node.find("configs")) sources(*configs, "configs", ".configs");
    if (const Node* secrets = node.find("secrets")) sources(*secrets, "secrets", ".secrets");
    if (const Node* models = node.find("models")) {
      for (const Node::Member& model : models->members) {
        if (!is_declared("models", model.key))
          findings_.misshape(model.where, fmt::format("{}.models: there is no model '{}'", path_, model.key));
      }
    }
  }

  void check_numbers(Node& node) {
    const Node* scale = node.find("scale");
    Node* deploy = node.find("deploy");
    const Node* replicas = deploy ? deploy->find("replicas") : nullptr;
    if (scale && replicas && scale->integer != replicas->integer)
      refuse(scale, fmt::format(": scale is {}, and deploy.replicas is {}", scale->text, replicas->text),
             "remove one of them");
    for (const Node* number : {scale, replicas}) {
      if (number && number->integer < 0)
        refuse(number, fmt::format(": {} replicas are less than none", number->text));
    }
    const Node* copies = scale ? scale : replicas;
    const Node* container = node.find("container_name");
    if (container && copies && copies->integer > 1)
      refuse(container, fmt::format(": {} replicas cannot have one container_name", copies->text),
             "remove container_name");
    if (deploy && whole_) {
      agree(node, "cpus", *deploy, {"resources", "limits"}, "cpus");
      agree(node, "mem_limit", *deploy, {"resources", "limits"}, "memory");
      agree(node, "mem_reservation", *deploy, {"resources", "reservations"}, "memory");
      agree(node, "pids_limit", *deploy, {"resources", "limits"}, "pids");
      if (scale && !replicas) write_replicas(*deploy, *scale);
    }
  }

  /// At its place among the keys that Compose prints.
  static void write_replicas(Node& deploy, const Node& scale) {
    const bool after_mode = !deploy.members.empty() && deploy.members.front().key == "mode";
    deploy.members.insert(deploy.members.begin() + (after_mode ? 1 : 0), {"replicas", scale.where, scale});
  }

  /// What is limited in both places is limited to the same.
  void agree(const Node& node, std::string_view key, const Node& deploy,
             std::initializer_list<std::string_view> path, std::string_view deployed) {
    const Node *own = node.find(key), *section = find(deploy, path);
    if (!own || !section) return;
    const Node* other = section->find(deployed);
    if (other && (other->text == own->text || (own->is(Kind::real) && other->real == own->real))) return;
    refuse(own,
           fmt::format(".{} is {}, and deploy.{}.{} is {}", key, own->text, fmt::join(path, "."), deployed,
                       other ? other->text : "not written"),
           "write the same in both, or remove one of them");
  }

  void check_mounts(const Node& node) {
    std::map<std::string, std::string> targets;
    auto add = [&](const Node& place, const std::string& target, std::string_view key) {
      auto [other, fresh] = targets.emplace(target, key);
      if (!fresh)
        refuse(&place, fmt::format(".{}: {} is mounted by {} already", key, target, other->second),
               "remove one of them");
    };
    if (const Node* tmpfs = node.find("tmpfs")) {
      for (const Node& item : tmpfs->items) add(item, item.text.substr(0, item.text.find(':')), "tmpfs");
    }
    if (const Node* volumes = node.find("volumes")) {
      for (const Node& item : volumes->items) add(item, text_of(item, "target"), "volumes");
    }
  }

  void secrets() {
    const Node* all = root_.find("secrets");
    if (!all || !whole_) return;
    for (const Node::Member& secret : all->members) {
      if (secret.value.find("external") || secret.value.find("file") || secret.value.find("environment"))
        continue;
      findings_.misshape(secret.where,
                         fmt::format("secrets.{} needs one of file and environment", secret.key),
                         "write 'environment: NAME'");
    }
  }

  void cycles(const Node& services) {
    App app;
    for (const Node::Member& member : services.members) {
      app.service_order.push_back(member.key);
      Service& service = app.services[member.key];
      if (const Node* all = member.value.find("depends_on")) {
        for (const Node::Member& entry : all->members) service.depends_on[entry.key] = {};
      }
    }
    const std::vector<std::string> way = find_cycle(app);
    if (way.empty()) return;
    const Node* entries = find(services, {way[0], "depends_on"});
    auto entry = std::ranges::find(entries->members, way[1], &Node::Member::key);
    findings_.misshape(
        entry->where,
        fmt::format("services.{}.depends_on.{} goes round: {}", way[0], way[1], fmt::join(way, " -> ")),
        "remove one of these dependencies");
  }

  Node& root_;
  const std::set<std::string>& inactive_;
  Findings& findings_;
  const bool whole_;  ///< nothing was taken out of the tree, for which something could now be missing
  std::set<std::string> names_;
  std::map<std::string, std::string> containers_;
  std::string path_;
  Where where_;
};

void collect(const Node* list, std::set<std::string>& names) {
  if (!list) return;
  for (const Node& item : list->items) names.insert(text_of(item, "source"));
  for (const Node::Member& member : list->members) names.insert(member.key);
}

}  // namespace

std::set<std::string> remove_inactive(Node& root, const std::vector<std::string>& profiles) {
  std::set<std::string> inactive;
  Node* services = root.find("services");
  if (!services) return inactive;
  std::erase_if(services->members, [&](const Node::Member& member) {
    return !is_active(member.value, profiles) && inactive.insert(member.key).second;
  });
  return inactive;
}

void check_consistency(Node& root, const std::set<std::string>& inactive, Findings& findings) {
  Consistency(root, inactive, findings).check();
}

void remove_unused(Node& root) {
  std::map<std::string_view, std::set<std::string>> used;
  if (const Node* services = root.find("services")) {
    for (const Node::Member& member : services->members) {
      const Node& service = member.value;
      collect(service.find("networks"), used["networks"]);
      collect(service.find("secrets"), used["secrets"]);
      collect(find(service, {"build", "secrets"}), used["secrets"]);
      collect(service.find("configs"), used["configs"]);
      collect(service.find("models"), used["models"]);
      if (const Node* volumes = service.find("volumes")) {
        for (const Node& volume : volumes->items) {
          if (text_of(volume, "type") == "volume") used["volumes"].insert(text_of(volume, "source"));
        }
      }
    }
  }
  for (std::string_view kind : {"networks", "volumes", "secrets", "configs", "models"}) {
    Node* resources = root.find(kind);
    if (!resources) continue;
    std::erase_if(resources->members,
                  [&](const Node::Member& member) { return !used[kind].contains(member.key); });
    if (resources->members.empty()) root.erase(kind);
  }
}

}  // namespace holdall::app
