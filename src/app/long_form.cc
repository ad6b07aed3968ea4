#include "app/long_form.h"

#include <fmt/format.h>

#include "app/ports.h"
#include "app/scalars.h"
#include "app/schema.h"
#include "app/volumes.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

// In long form a port is a mapping of five values.
constexpr std::size_t kValuesOfPort = 6;

Node mapping_of(std::string_view key, Node value) {
  Node mapping = Node::empty(Kind::mapping, value.where);
  mapping.set(key, std::move(value));
  return mapping;
}

void set_default(Node& node, std::string_view key, Node value) {
  if (!node.find(key)) node.set(key, std::move(value));
}

class LongForm {
 public:
  LongForm(bool lenient, Findings& findings) : lenient_(lenient), findings_(findings) {}

  /// False if the node is to be left out.
  bool value(Node& node, const Schema& at, const std::string& path) {
    if (node.tag == Node::Tag::reset) return true;
    if (at.shape && !make(node, at.shape->rules.short_form, path)) return false;
    if (at.any && node.is(Kind::sequence)) {
      std::size_t i = 0;
      std::erase_if(node.items,
                    [&](Node& item) { return !value(item, *at.any, join(path, std::to_string(i++))); });
    }
    std::erase_if(node.members, [&](Node::Member& member) {
      const Schema* below = at.below(member.key);
      return below && !value(member.value, *below, join(path, member.key));
    });
    return true;
  }

 private:
  bool make(Node& node, Short form, const std::string& path) {
    switch (form) {
      case Short::none: return true;
      case Short::text:
        if (!node.is(Kind::string)) replace(node, Node::string(node.text, node.where));
        return true;
      case Short::list: return texts(node);
      case Short::build:
        if (node.is(Kind::string)) replace(node, mapping_of("context", node));
        return true;
      case Short::service:
        if (node.is(Kind::string)) replace(node, mapping_of("service", node));
        return true;
      case Short::env_files: return env_files(node);
      case Short::pairs: return pairs(node, path, "NAME=value", "");
      case Short::keys: return pairs(node, path, "default, or ID=path", "default");
      case Short::names:
      case Short::depends_on: return names(node, form == Short::depends_on);
      case Short::volumes: return volumes(node, path);
      case Short::ports: return ports(node, path);
      case Short::devices: return devices(node, path);
      case Short::files:
      case Short::includes: return entries(node, form == Short::files ? "source" : "path");
      case Short::gpus: return gpus(node);
      case Short::external: return true;  // with the name beside it, below
      case Short::limit: return limit(node, path);
    }
    return true;
  }

  static void replace(Node& node, Node made) {
    made.tag = node.tag;
    node = std::move(made);
  }

  bool refuse(const Node& node, std::string what, std::string hint = "") {
    if (lenient_) return true;
    findings_.misshape(node.where, std::move(what), std::move(hint));
    return false;
  }

  static bool texts(Node& node) {
    if (node.is(Kind::string)) {
      Node list = Node::empty(Kind::sequence, node.where);
      list.items.push_back(node);
      replace(node, std::move(list));
    }
    return true;
  }

  static bool env_files(Node& node) {
    texts(node);
    entries(node, "path");
    for (Node& item : node.items) set_default(item, "required", Node::of(true, item.where));
    return true;
  }

  static bool entries(Node& node, std::string_view key) {
    for (Node& item : node.items) {
      if (item.is(Kind::string)) item = mapping_of(key, item);
    }
    return true;
  }

  /// `bare` is the one name that needs no value.
  bool pairs(Node& node, const std::string& path, std::string_view form, std::string_view bare) {
    if (!node.is(Kind::sequence)) return true;
    Node mapping = Node::empty(Kind::mapping, node.where);
    Setter members(mapping);
    for (const Node& item : node.items) {
      const std::size_t equals = item.text.find('=');
      const std::string name = item.text.substr(0, equals);
      if (equals != std::string::npos) {
        members.set(name, Node::string(item.text.substr(equals + 1), item.where));
      } else if (!bare.empty() && name == bare) {
        members.set(name, Node::empty(Kind::null, item.where));
      } else {
        return refuse(item, fmt::format("{}: '{}' has no value", path, item.text),
                      fmt::format("write {}", form));
      }
    }
    replace(node, std::move(mapping));
    return true;
  }

  static bool names(Node& node, bool depends_on) {
    if (node.is(Kind::sequence)) {
      Node mapping = Node::empty(Kind::mapping, node.where);
      Setter members(mapping);
      for (const Node& item : node.items)
        members.set(item.text, Node::empty(depends_on ? Kind::mapping : Kind::null, item.where));
      replace(node, std::move(mapping));
    }
    if (!depends_on) return true;
    for (Node::Member& member : node.members) {
      if (!member.value.is(Kind::mapping)) continue;
      set_default(member.value, "condition", Node::string("service_started", member.where));
      set_default(member.value, "required", Node::of(true, member.where));
    }
    return true;
  }

  bool volumes(Node& node, const std::string& path) {
    std::size_t i = 0;
    std::erase_if(node.items, [&](Node& item) {
      const std::string below = join(path, std::to_string(i++));
      if (!item.is(Kind::string)) return false;
      std::string error;
      Node made = long_volume(item.text, item.where, error);
      if (!error.empty()) {
        // Without its variables, too: colons in those do not count.
        findings_.misshape(item.where, fmt::format("{}: '{}': {}", below, item.text, error),
                           "write [SOURCE:]TARGET[:OPTIONS]");
        return true;
      }
      item = std::move(made);
      return false;
    });
    return true;
  }

  bool ports(Node& node, const std::string& path) {
    Node list = Node::empty(Kind::sequence, node.where);
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Node& item = node.items[i];
      if (item.is(Kind::mapping)) {
        list.items.push_back(item);
        continue;
      }
      std::string error = item.is(Kind::real) ? "it is no integer" : "";
      std::vector<PortSpec> range;
      if (error.empty()) range = parse_short_port(item.text, error);
      if (range.size() > 1) findings_.grow(range.size() * kValuesOfPort, item.where, path);
      for (const PortSpec& port : range) list.items.push_back(long_port(port, item.where));
      if (error.empty()) continue;
      // Without its variables one entry says nothing of the others' places either.
      if (lenient_) return true;
      refuse(item, fmt::format("{}: '{}': {}", join(path, std::to_string(i)), item.text, error),
             "write [[IP:]HOST:]CONTAINER[/PROTOCOL]");
    }
    replace(node, std::move(list));
    return true;
  }

  static Node long_port(const PortSpec& port, const Where& where) {
    Node entry = Node::empty(Kind::mapping, where);
    entry.set("mode", Node::string("ingress", where));
    if (!port.host_ip.empty()) entry.set("host_ip", Node::string(port.host_ip, where));
    if (port.target) entry.set("target", Node::of(std::int64_t{port.target}, where));
    if (!port.published.empty()) entry.set("published", Node::string(port.published, where));
    entry.set("protocol", Node::string(port.protocol, where));
    return entry;
  }

  bool devices(Node& node, const std::string& path) {
    std::size_t i = 0;
    std::erase_if(node.items, [&](Node& item) {
      const std::string below = join(path, std::to_string(i++));
      if (!item.is(Kind::string)) return false;
      std::vector<std::string> parts(1);
      for (char c : item.text) {
        if (c == ':') {
          parts.emplace_back();
        } else {
          parts.back() += c;
        }
      }
      if (parts.size() > 3) {
        return !refuse(item, fmt::format("{}: '{}' has too many colons", below, item.text),
                       "write SOURCE[:TARGET[:PERMISSIONS]]");
      }
      const bool target = parts.size() > 1 && !parts[1].empty();
      Node made = mapping_of("source", Node::string(parts[0], item.where));
      made.set("target", Node::string(parts[target ? 1 : 0], item.where));
      made.set("permissions", Node::string(parts.size() > 2 ? parts[2] : "rwm", item.where));
      item = std::move(made);
      return false;
    });
    return true;
  }

  static bool gpus(Node& node) {
    if (!node.is(Kind::string)) return true;
    Node list = Node::empty(Kind::sequence, node.where);
    list.items.push_back(mapping_of("count", Node::string("all", node.where)));
    replace(node, std::move(list));
    return true;
  }

  bool limit(const Node& node, const std::string& path) {
    if (!node.is(Kind::string)) return true;
    findings_.misshape(node.where, fmt::format("{} must be an integer, and this is '{}'", path, node.text),
                       "write it without quotes");
    return false;
  }

  bool lenient_;
  Findings& findings_;
};

/// `external: {name: x}`, as files of version 2 have it.
void external_names(Node& root, Findings& findings) {
  for (std::string_view kind : {"networks", "volumes", "secrets", "configs"}) {
    Node* resources = root.find(kind);
    if (!resources) continue;
    for (Node::Member& resource : resources->members) {
      Node* external = resource.value.find("external");
      if (!external || !external->is(Kind::mapping)) continue;
      const Where where = external->where;
      const Node* inner = external->find("name");
      const std::string written = inner ? inner->text : "";
      const bool named = inner != nullptr;
      *external = Node::of(true, where);
      if (!named) continue;
      const std::string path = fmt::format("{}.{}", kind, resource.key);
      findings.warn(where, fmt::format("{}.external.name is obsolete", path),
                    fmt::format("write 'name: {}' and 'external: true'", written));
      const Node* name = resource.value.find("name");
      if (name && name->text != written) {
        findings.misshape(
            where, fmt::format("{}: name is '{}', and external.name is '{}'", path, name->text, written),
            "write name alone");
      } else if (!name) {
        resource.value.set("name", Node::string(written, where));
      }
    }
  }
}

/// Empty addresses come of variables that are not set.
void drop_empty_dns(Node& root) {
  Node* services = root.find("services");
  if (!services) return;
  for (Node::Member& service : services->members) {
    Node* dns = service.value.find("dns");
    if (dns)
      std::erase_if(dns->items, [](const Node& item) { return item.is(Kind::string) && item.text.empty(); });
  }
}

}  // namespace

void make_long(Node& root, bool lenient, Findings& findings) {
  LongForm(lenient, findings).value(root, schema(), "");
  external_names(root, findings);
  drop_empty_dns(root);
}

}  // namespace holdall::app
