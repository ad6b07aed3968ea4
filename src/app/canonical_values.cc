#include "app/canonical_values.h"

#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "app/ports.h"
#include "app/quantity.h"
#include "app/shell_words.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

constexpr std::string_view kSecretsDirectory = "/run/secrets/";

class Values {
 public:
  Values(const std::string& path, Findings& findings) : path_(path), findings_(findings) {}

  bool make(Node& node, Form form) {
    switch (form) {
      case Form::anything: return true;
      case Form::text: return text(node);
      case Form::integer: return integer(node);
      case Form::number: return number(node);
      case Form::boolean: return boolean(node);
      case Form::duration: return duration(node);
      case Form::texts: return texts(node);
      case Form::command: return command(node);
      case Form::test: return test(node);
      case Form::mapping:
      case Form::named: return must_be(node, Kind::mapping);
      case Form::pairs: return pairs(node);
      case Form::build: return build(node);
      case Form::depends_on: return depends_on(node);
      case Form::env_files: return env_files(node);
      case Form::expose: return expose(node);
      case Form::ports: return ports(node);
      case Form::published: return published(node);
      case Form::secret_files: return secret_files(node);
      case Form::mode: return mode(node);
      case Form::bytes: return bytes(node);
      case Form::ulimits: return ulimits(node);
    }
    return false;
  }

 private:
  bool refuse(const Node& node, std::string_view what, std::string hint = "") {
    findings_.misshape(node.where, fmt::format("{} {}", path_, what), std::move(hint));
    return false;
  }

  bool wrong(const Node& node, std::string_view wanted) {
    std::string hint =
        wanted.find("string") != std::string_view::npos && node.is_scalar() && !node.is(Kind::null)
            ? fmt::format("quote it: \"{}\"", node.text)
            : "";
    return refuse(node, fmt::format("must be {}, and this is {}", wanted, describe(node.kind)), hint);
  }

  bool must_be(const Node& node, Kind kind) { return node.is(kind) || wrong(node, describe(kind)); }
  bool text(const Node& node) { return must_be(node, Kind::string); }

  /// Integers, and what a variable or a careless hand makes of one: "3", 3.0.
  bool integer(Node& node) {
    if (node.is(Kind::integer)) return true;
    std::int64_t value = 0;
    if (node.is(Kind::real) && std::nearbyint(node.real) == node.real && std::abs(node.real) < 1e15) {
      value = static_cast<std::int64_t>(node.real);
    } else if (node.is(Kind::string)) {
      const char* end = node.text.data() + node.text.size();
      auto [stop, error] = std::from_chars(node.text.data(), end, value);
      if (node.text.empty() || error != std::errc() || stop != end) {
        return refuse(node, fmt::format("must be an integer, and this is '{}'", node.text));
      }
    } else {
      return wrong(node, "an integer");
    }
    node = Node::of(value, node.where);
    return true;
  }

  bool number(Node& node) {
    if (node.is(Kind::real) || node.is(Kind::integer)) return true;
    if (!node.is(Kind::string)) return wrong(node, "a number");
    double value = 0;
    const char* end = node.text.data() + node.text.size();
    auto [stop, error] = std::from_chars(node.text.data(), end, value);
    if (node.text.empty() || error != std::errc() || stop != end) {
      return refuse(node, fmt::format("must be a number, and this is '{}'", node.text));
    }
    node.kind = Kind::real;
    node.real = value;
    return true;
  }

  /// Compose prints a count of bytes as a string; of numbers it takes any, of strings no negative one.
  bool bytes(Node& node) {
    if (node.is(Kind::integer)) {
      node = Node::string(std::to_string(node.integer), node.where);
      return true;
    }
    if (!node.is(Kind::string)) return wrong(node, "a number of bytes");
    auto count = parse_bytes(node.text);
    if (!count) {
      return refuse(node, fmt::format("must be a number of bytes, and this is '{}'", node.text), kBytesHint);
    }
    node.text = std::to_string(*count);
    return true;
  }

  bool ulimits(Node& node) {
    if (!must_be(node, Kind::mapping)) return false;
    bool good = true;
    for (Node::Member& member : node.members) {
      if (!member.value.is(Kind::mapping)) {
        good &= integer(member.value);
        continue;
      }
      for (Node::Member& side : member.value.members) {
        const bool known = side.key == "soft" || side.key == "hard";
        good &= known ? integer(side.value)
                      : refuse(side.value, fmt::format("{}: there is no '{}'", member.key, side.key),
                               "it has soft and hard");
      }
    }
    return good;
  }

  bool boolean(Node& node) {
    if (node.is(Kind::boolean)) return true;
    if (!node.is(Kind::string)) return wrong(node, "true or false");
    std::string lower;
    for (char c : node.text) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    bool yes = lower == "true" || lower == "y" || lower == "yes" || lower == "on";
    bool no = lower == "false" || lower == "n" || lower == "no" || lower == "off";
    if (!yes && !no) return refuse(node, fmt::format("must be true or false, and this is '{}'", node.text));
    if (lower != "true" && lower != "false") {
      findings_.warn(node.where, fmt::format("{}: '{}' is no boolean of YAML", path_, node.text),
                     fmt::format("write {}", yes));
    }
    node = Node::of(yes, node.where);
    return true;
  }

  bool duration(Node& node) {
    if (!node.is(Kind::string)) return refuse(node, "must be a duration", kDurationHint);
    auto span = parse_duration(node.text);
    if (!span)
      return refuse(node, fmt::format("must be a duration, and this is '{}'", node.text), kDurationHint);
    node.text = print_duration(*span);
    return true;
  }

  bool texts(const Node& node) {
    if (!must_be(node, Kind::sequence)) return false;
    bool good = true;
    for (const Node& item : node.items) good &= item.is(Kind::string) || wrong(item, "a list of strings");
    return good;
  }

  bool command(Node& node) {
    if (node.is(Kind::sequence)) return texts(node);
    if (!node.is(Kind::string)) return wrong(node, "a string or a list of strings");
    auto split = split_shell_words(node.text);
    if (!split) {
      return refuse(node, fmt::format("is no command line: {}", node.text),
                    "close its quotes and quote parentheses, or write it as a list of strings");
    }
    if (!split->dropped.empty()) {
      findings_.warn(
          node.where,
          fmt::format("{} ends before '{}': a command is run without a shell", path_, split->dropped),
          "write it for a shell: [\"sh\", \"-c\", \"...\"]");
    }
    Node words = Node::empty(Kind::sequence, node.where);
    for (std::string& word : split->words) words.items.push_back(Node::string(std::move(word), node.where));
    node = std::move(words);
    return true;
  }

  bool test(Node& node) {
    if (node.is(Kind::string)) {
      Node words = Node::empty(Kind::sequence, node.where);
      words.items = {Node::string("CMD-SHELL", node.where), node};
      node = std::move(words);
      return true;
    }
    if (!node.is(Kind::sequence)) return wrong(node, "a string or a list of strings");
    if (!texts(node)) return false;
    if (node.items.empty()) return true;
    const std::string& first = node.items[0].text;
    if (first == "CMD" || first == "CMD-SHELL" || first == "NONE") return true;
    return refuse(node.items[0],
                  fmt::format("must begin with CMD, CMD-SHELL or NONE, and this begins with '{}'", first),
                  "put \"CMD\" before it");
  }

  /// A value of an environment: a string, or null for "what the caller has".
  bool pair_value(Node& value, const std::string& name) {
    if (!value.is_scalar() || value.is(Kind::timestamp)) {
      findings_.misshape(
          value.where,
          fmt::format("{}.{} must be a string, and this is {}", path_, name, describe(value.kind)),
          value.is(Kind::timestamp) ? fmt::format("quote it: \"{}\"", value.text) : "");
      return false;
    }
    if (!value.is(Kind::null)) value = Node::string(value.text, value.where);
    return true;
  }

  bool pairs(Node& node) {
    bool good = true;
    if (node.is(Kind::mapping)) {
      for (Node::Member& member : node.members) good &= pair_value(member.value, member.key);
      return good;
    }
    if (!node.is(Kind::sequence)) return wrong(node, "a mapping or a list of NAME=value");
    Node mapping = Node::empty(Kind::mapping, node.where);
    std::map<std::string, std::size_t> positions;
    for (const Node& item : node.items) {
      if (!item.is(Kind::string)) return wrong(item, "a mapping or a list of NAME=value strings");
      std::size_t equals = item.text.find('=');
      std::string name = item.text.substr(0, equals);
      if (name.empty() || name.ends_with(' ')) {
        return refuse(
            item, name.empty() ? "has a value without a name" : fmt::format("has a blank after '{}'", name),
            "write NAME=value");
      }
      Node value = equals == std::string::npos ? Node::empty(Kind::null, item.where)
                                               : Node::string(item.text.substr(equals + 1), item.where);
      auto [position, fresh] = positions.emplace(name, mapping.members.size());
      if (fresh) {
        mapping.members.push_back({std::move(name), item.where, std::move(value)});
      } else {
        mapping.members[position->second].value = std::move(value);
      }
    }
    node = std::move(mapping);
    return true;
  }

  bool build(Node& node) {
    if (node.is(Kind::mapping)) return true;
    if (!node.is(Kind::string)) return wrong(node, "a string or a mapping");
    Node mapping = Node::empty(Kind::mapping, node.where);
    mapping.set("context", node);
    node = std::move(mapping);
    return true;
  }

  bool depends_on(Node& node) {
    if (node.is(Kind::mapping)) {
      bool good = true;
      for (Node::Member& member : node.members) good &= dependency(member);
      return good;
    }
    if (!node.is(Kind::sequence)) return wrong(node, "a list or a mapping");
    if (!texts(node)) return false;
    Node mapping = Node::empty(Kind::mapping, node.where);
    std::map<std::string, int> seen;
    for (const Node& item : node.items) {
      if (!seen.emplace(item.text, 0).second) return refuse(item, fmt::format("names '{}' twice", item.text));
      Node entry = Node::empty(Kind::mapping, item.where);
      entry.set("condition", Node::string("service_started", item.where));
      entry.set("required", Node::of(true, item.where));
      mapping.members.push_back({item.text, item.where, std::move(entry)});
    }
    node = std::move(mapping);
    return true;
  }

  bool dependency(Node::Member& member) {
    std::string path = fmt::format("{}.{}", path_, member.key);
    const Node* condition = member.value.find("condition");
    if (!condition) {
      findings_.misshape(member.where, fmt::format("{} has no condition", path),
                         "write 'condition: service_started'");
      return false;
    }
    for (std::string_view known : {"service_started", "service_healthy", "service_completed_successfully"}) {
      if (condition->text == known) return true;
    }
    findings_.misshape(condition->where, fmt::format("{}.condition: '{}' is none", path, condition->text),
                       "it is service_started, service_healthy or service_completed_successfully");
    return false;
  }

  bool env_files(Node& node) {
    Node list = Node::empty(Kind::sequence, node.where);
    if (node.is(Kind::string)) {
      list.items.push_back(node);
    } else if (node.is(Kind::sequence)) {
      list = node;
    } else {
      return wrong(node, "a string or a list");
    }
    for (Node& item : list.items) {
      if (item.is(Kind::string)) {
        Node entry = Node::empty(Kind::mapping, item.where);
        entry.set("path", item);
        item = std::move(entry);
      }
      if (!item.is(Kind::mapping)) return wrong(item, "a list of strings and mappings");
      if (!item.find("path")) return refuse(item, "has an entry without a path");
    }
    node = std::move(list);
    return true;
  }

  bool expose(Node& node) {
    if (!must_be(node, Kind::sequence)) return false;
    for (Node& item : node.items) {
      if (!item.is(Kind::string) && !item.is(Kind::integer)) return wrong(item, "a list of ports");
      std::string_view text = item.text;
      std::size_t slash = text.find('/');
      std::string_view protocol = slash == std::string_view::npos ? "tcp" : text.substr(slash + 1);
      if (!parse_port_range(text.substr(0, slash)) ||
          (protocol != "tcp" && protocol != "udp" && protocol != "sctp")) {
        return refuse(item, fmt::format("has no port in '{}'", text),
                      "write 8080, \"8080-8085\" or \"53/udp\"");
      }
      item = Node::string(item.text, item.where);
    }
    return true;
  }

  bool ports(Node& node) {
    if (!must_be(node, Kind::sequence)) return false;
    Node list = Node::empty(Kind::sequence, node.where);
    for (Node& item : node.items) {
      if (item.is(Kind::mapping)) {
        list.items.push_back(long_port(item));
        continue;
      }
      if (!item.is(Kind::string) && !item.is(Kind::integer)) return wrong(item, "a list of ports");
      std::string error;
      for (const PortSpec& port : parse_short_port(item.text, error))
        list.items.push_back(from_spec(port, item.where));
      if (!error.empty()) {
        return refuse(item, fmt::format("'{}': {}", item.text, error),
                      "write [[IP:]HOST:]CONTAINER[/PROTOCOL]");
      }
    }
    node = std::move(list);
    return true;
  }

  static Node from_spec(const PortSpec& port, const Where& where) {
    Node entry = Node::empty(Kind::mapping, where);
    entry.set("mode", Node::string("ingress", where));
    if (!port.host_ip.empty()) entry.set("host_ip", Node::string(port.host_ip, where));
    entry.set("target", Node::of(std::int64_t{port.target}, where));
    if (!port.published.empty()) entry.set("published", Node::string(port.published, where));
    entry.set("protocol", Node::string(port.protocol, where));
    return entry;
  }

  Node long_port(Node item) {
    if (!item.find("target")) {
      refuse(item, "has an entry without a target", "'target' is the port that the service listens on");
    }
    if (!item.find("mode")) item.set("mode", Node::string("ingress", item.where));
    if (!item.find("protocol")) item.set("protocol", Node::string("tcp", item.where));
    return item;
  }

  bool secret_files(Node& node) {
    if (!must_be(node, Kind::sequence)) return false;
    for (Node& item : node.items) {
      if (item.is(Kind::string)) {
        Node entry = Node::empty(Kind::mapping, item.where);
        entry.set("source", item);
        item = std::move(entry);
      }
      if (!item.is(Kind::mapping)) return wrong(item, "a list of strings and mappings");
      const Node* source = item.find("source");
      if (!source) return refuse(item, "has an entry without a source", "'source' is the name of a secret");
      const Node* target = item.find("target");
      if (target && !target->is(Kind::string)) continue;  // reported with its own key
      std::string name = target && !target->text.empty() ? target->text : source->text;
      if (!name.starts_with('/')) name.insert(0, kSecretsDirectory);
      item.set("target", Node::string(std::move(name), target ? target->where : item.where));
    }
    return true;
  }

  bool mode(Node& node) {
    std::int64_t bits = node.integer;
    if (node.is(Kind::string)) {
      const char* end = node.text.data() + node.text.size();
      auto [stop, error] = std::from_chars(node.text.data(), end, bits, 8);
      if (node.text.empty() || error != std::errc() || stop != end) bits = -1;
    } else if (!node.is(Kind::integer)) {
      return wrong(node, "a string of octal digits");
    }
    constexpr std::int64_t kMost = 0777;
    if (bits < 0 || bits > kMost) {
      return refuse(node, fmt::format("must be the mode of a file, and this is '{}'", node.text),
                    "write octal digits: \"0440\"");
    }
    node = Node::string(fmt::format("{:04o}", bits), node.where);
    return true;
  }

  bool published(Node& node) {
    if (!node.is(Kind::string) && !node.is(Kind::integer)) return wrong(node, "a port or a range of ports");
    if (!node.text.empty() && !parse_port_range(node.text)) {
      return refuse(node, fmt::format("'{}' is no port: 0 to 65535, or a range", node.text));
    }
    node = Node::string(node.text, node.where);
    return true;
  }

  const std::string& path_;
  Findings& findings_;
};

}  // namespace

bool make_canonical_value(Node& node, Form form, const std::string& path, Findings& findings) {
  return Values(path, findings).make(node, form);
}

bool is_service_name(std::string_view name) {
  for (char c : name) {
    bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
                c == '_' || c == '-';
    if (!good) return false;
  }
  return !name.empty();
}

}  // namespace holdall::app
