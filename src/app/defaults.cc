#include "app/defaults.h"

#include <array>
#include <span>

#include <fmt/format.h>

#include "app/ports.h"
#include "app/schema.h"
#include "app/template.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

void set_default(Node& node, std::string_view key, std::string value) {
  if (node.is(Kind::mapping) && !node.find(key)) node.set(key, Node::string(std::move(value), node.where));
}

void for_each_member(Node& root, std::string_view key, auto&& visit) {
  if (Node* members = root.find(key)) {
    for (Node::Member& member : members->members) visit(member);
  }
}

void for_each_item(Node* list, auto&& visit) {
  if (!list) return;
  for (Node& item : list->items) visit(item);
}

Node* find(Node& node, std::span<const std::string_view> path) {
  Node* at = &node;
  for (std::string_view key : path) {
    if (at) at = at->find(key);
  }
  return at;
}

constexpr std::array<std::string_view, 4> kReservedDevices{"deploy", "resources", "reservations", "devices"};
constexpr std::array<std::string_view, 1> kGpus{"gpus"};

void set_defaults_of_service(Node& service) {
  if (Node* build = service.find("build")) set_default(*build, "context", ".");
  for_each_item(service.find("secrets"), [](Node& secret) {
    const Node* source = secret.find("source");
    set_default(secret, "target", "/run/secrets/" + (source ? source->text : ""));
  });
  for_each_item(service.find("ports"), [](Node& port) {
    set_default(port, "protocol", "tcp");
    set_default(port, "mode", "ingress");
  });
  for (std::span<const std::string_view> path :
       {std::span<const std::string_view>(kReservedDevices), std::span<const std::string_view>(kGpus)}) {
    for_each_item(find(service, path), [](Node& device) {
      if (!device.find("device_ids")) set_default(device, "count", "all");
    });
  }
}

bool is_true(const Node* node) { return node && node->is(Kind::boolean) && node->integer != 0; }

class Check {
 public:
  Check(const Node& root, Findings& findings) : findings_(findings), whole_(findings.misshapen == 0) {
    members(root, "volumes", [&](const auto& member, const auto& path) { external(member, path); });
    members(root, "configs", [&](const auto& member, const auto& path) {
      one_of(member, {"file", "environment", "content"}, path);
    });
    members(root, "secrets",
            [&](const auto& member, const auto& path) { one_of(member, {"file", "environment"}, path); });
    members(root, "services", [&](const auto& member, const auto& path) { service(member.value, path); });
  }

 private:
  static void members(const Node& root, std::string_view key, auto&& visit) {
    const Node* resources = root.find(key);
    if (!resources) return;
    for (const Node::Member& member : resources->members)
      visit(member, fmt::format("{}.{}", key, member.key));
  }

  void external(const Node::Member& volume, const std::string& path) {
    if (!is_true(volume.value.find("external"))) return;
    for (const Node::Member& member : volume.value.members) {
      if (member.key == "external" || member.key == "name" || is_extension(member.key)) continue;
      findings_.misshape(member.where, fmt::format("{} is external, and has {}", path, member.key),
                         "remove one of them: what is external is made elsewhere");
    }
  }

  void one_of(const Node::Member& member, std::initializer_list<std::string_view> keys,
              const std::string& path) {
    std::vector<std::string_view> found;
    for (std::string_view key : keys) {
      if (member.value.find(key)) found.push_back(key);
    }
    if (found.size() > 1) {
      findings_.misshape(member.where, fmt::format("{} has both {}", path, fmt::join(found, " and ")),
                         "keep one of them");
    } else if (whole_ && found.empty() && !member.value.find("driver") && !member.value.find("external")) {
      findings_.misshape(member.where, fmt::format("{} has none of {}", path, fmt::join(keys, ", ")),
                         "write 'environment: NAME' or 'file: ./NAME'");
    }
  }

  void service(const Node& service, const std::string& path) {
    if (const Node* ports = service.find("ports")) {
      for (const Node& port : ports->items) {
        const Node* address = port.find("host_ip");
        if (address && !is_ip_address(address->text)) {
          findings_.misshape(address->where,
                             fmt::format("{}.ports: '{}' is no IP address", path, address->text));
        }
      }
    }
    const Node* develop = service.find("develop");
    if (const Node* watch = develop ? develop->find("watch") : nullptr) {
      for (const Node& trigger : watch->items) {
        const Node* watched = trigger.find("path");
        if (watched && watched->text.empty())
          findings_.misshape(watched->where, path + ".develop.watch has an empty path");
      }
    }
    devices(service.find("gpus"), path + ".gpus");
    const Node* at = &service;
    for (std::string_view key : kReservedDevices) at = at ? at->find(key) : nullptr;
    devices(at, path + ".deploy.resources.reservations.devices");
  }

  void devices(const Node* list, const std::string& path) {
    if (!list) return;
    for (const Node& device : list->items) {
      if (device.find("count") && device.find("device_ids"))
        findings_.misshape(device.where, path + " has both count and device_ids", "keep one of them");
    }
  }

  Findings& findings_;
  const bool whole_;  ///< nothing was taken out of the tree
};

}  // namespace

void set_defaults(Node& root) {
  for_each_member(root, "services", [](Node::Member& service) { set_defaults_of_service(service.value); });
}

void check_rules(const Node& root, Findings& findings) { Check(root, findings); }

void resolve_names(Node& root, const std::map<std::string, std::string>& variables,
                   const std::set<std::string>& secrets, VariableUse& use) {
  for_each_member(root, "services", [&](Node::Member& service) {
    for_each_item(service.value.find("environment"), [&](Node& item) {
      if (item.text.find('=') != std::string::npos) return;
      const std::string name = item.text;
      auto value = variables.find(name);
      if (secrets.contains(name)) {
        item.text = fmt::format("{}=${{{}}}", name, name);
      } else if (value != variables.end()) {
        use.templates[fmt::format("services.{}.environment.{}", service.key, name)] = "${" + name + "}";
        item.text = name + "=" + escape_dollars(value->second);
      }
    });
  });
}

}  // namespace holdall::app
