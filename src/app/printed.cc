#include "app/printed.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "app/quantity.h"
#include "app/scalars.h"
#include "app/schema.h"
#include "app/shell_words.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;
using Printed = std::optional<Node>;

class Printer {
 public:
  explicit Printer(Findings& findings) : findings_(findings) {}

  Node section(const Node& node, const Schema& at, const std::string& path) {
    std::vector<const Node::Member*> rows(at.members.size());
    std::map<std::string_view, const Node::Member*> extensions;
    for (const Node::Member& member : node.members) {
      auto row =
          std::ranges::find(at.members, member.key, &std::pair<std::string_view, const Schema*>::first);
      if (row != at.members.end()) {
        rows[static_cast<std::size_t>(row - at.members.begin())] = &member;
      } else if (is_extension(member.key)) {
        extensions.emplace(member.key, &member);
      }
    }
    Node made = Node::empty(Kind::mapping, node.where);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& [name, below] = at.members[i];
      if (!below->shape) continue;
      Node absent = Node::empty(Kind::null, node.where);
      Printed printed = value(rows[i] ? rows[i]->value : absent, *below, join(path, name));
      if (printed)
        made.members.push_back(
            {std::string(name), rows[i] ? rows[i]->where : node.where, std::move(*printed)});
    }
    for (const auto& [name, member] : extensions) made.members.push_back(*member);
    return made;
  }

 private:
  Printed value(const Node& node, const Schema& at, const std::string& path) {
    const As as = at.shape->as;
    if (node.is(Kind::null)) return default_of(as, at, node, path);
    switch (as) {
      case As::nothing: return std::nullopt;
      case As::anything: return node;
      case As::text: return node.text.empty() ? std::nullopt : Printed(Node::string(node.text, node.where));
      case As::flag:
      case As::flag_kept:
      case As::flag_always: return flag(node, as == As::flag, path);
      case As::whole:
      case As::whole_always:
      case As::whole_kept: return whole(node, as == As::whole, true, path);
      case As::count:
      case As::count_kept: return whole(node, as == As::count, false, path);
      case As::real: return real(node, path);
      case As::bytes:
      case As::bytes_always: return bytes(node, as == As::bytes, path);
      case As::duration:
      case As::duration_kept: return duration(node, as == As::duration, path);
      case As::mode: return mode(node, path);
      case As::devices: return devices(node, path);
      case As::texts: return texts(node, path);
      case As::words: return words(node, path);
      case As::test: return test(node, path);
      case As::strings:
      case As::variables: return pairs(node, as == As::variables, path);
      case As::lists: return lists(node);
      case As::hosts: return hosts(node, path);
      case As::keys: return keys(node);
      case As::ulimit: return node.is(Kind::mapping) || node.integer == 0 ? section(node, at, path) : node;
      case As::section:
      case As::section_always: return section(node, at, path);
      case As::sections: return sections(node, at, path);
      case As::names: return names(node, at, path);
    }
    return std::nullopt;
  }

  Printed default_of(As as, const Schema& at, const Node& node, const std::string& path) {
    switch (as) {
      case As::words: return node;
      case As::section_always: return section(Node::empty(Kind::mapping, node.where), at, path);
      case As::flag_always: return Node::of(false, node.where);
      case As::whole_always: return Node::of(std::int64_t{0}, node.where);
      case As::bytes_always: return Node::string("0", node.where);
      default: return std::nullopt;
    }
  }

  Printed refuse(const Node& node, std::string what, std::string hint = "") {
    findings_.misshape(node.where, std::move(what), std::move(hint));
    return std::nullopt;
  }

  Printed flag(Node node, bool leave_out, const std::string& path) {
    if (!make_flag(node, path, findings_) || (leave_out && node.integer == 0)) return std::nullopt;
    return node;
  }

  Printed whole(Node node, bool leave_out, bool negative, const std::string& path) {
    if (!make_whole(node, path, findings_)) return std::nullopt;
    if (node.is(Kind::real)) node = Node::of(static_cast<std::int64_t>(node.real), node.where);
    if (!negative && node.integer < 0)
      return refuse(node, fmt::format("{} must not be negative, and this is {}", path, node.text));
    return leave_out && node.integer == 0 ? std::nullopt : Printed(std::move(node));
  }

  Printed real(Node node, const std::string& path) {
    if (!make_real(node, path, findings_)) return std::nullopt;
    const auto value = static_cast<float>(node.real);
    if (value == 0) return std::nullopt;
    if (std::abs(value) < 1e15F && value == std::trunc(value))
      return Node::of(static_cast<std::int64_t>(value), node.where);
    const std::string shortest = fmt::format("{}", value);
    node.kind = Kind::real;
    std::from_chars(shortest.data(), shortest.data() + shortest.size(), node.real);
    return node;
  }

  Printed bytes(const Node& node, bool leave_out, const std::string& path) {
    std::string count = node.is(Kind::integer) ? std::to_string(node.integer) : "0";
    if (node.is(Kind::string)) {
      const auto parsed = parse_bytes(node.text);
      if (!parsed)
        return refuse(node, fmt::format("{} must be a number of bytes, and this is '{}'", path, node.text),
                      kBytesHint);
      count = std::to_string(*parsed);
    }
    return leave_out && count == "0" ? std::nullopt : Printed(Node::string(std::move(count), node.where));
  }

  Printed duration(const Node& node, bool leave_out, const std::string& path) {
    const auto span = parse_duration(node.text);
    if (!span)
      return refuse(node, fmt::format("{} must be a duration, and this is '{}'", path, node.text),
                    kDurationHint);
    if (leave_out && span->count() == 0) return std::nullopt;
    return Node::string(print_duration(*span), node.where);
  }

  Printed mode(const Node& node, const std::string& path) {
    std::int64_t bits = node.integer;
    bool good = node.is(Kind::integer);
    if (node.is(Kind::string)) {
      const char* end = node.text.data() + node.text.size();
      auto [stop, error] = std::from_chars(node.text.data(), end, bits, 8);
      good = !node.text.empty() && error == std::errc() && stop == end;
    }
    if (!good)
      return refuse(node, fmt::format("{} must be the mode of a file, and this is '{}'", path, node.text),
                    "write octal digits: \"0440\"");
    return Node::string(fmt::format("0{:o}", bits), node.where);
  }

  Printed devices(Node node, const std::string& path) {
    std::string lower;
    for (char c : node.text) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (node.is(Kind::string) && lower == "all") return Node::of(std::int64_t{-1}, node.where);
    return whole(std::move(node), true, true, path);
  }

  Printed texts(const Node& node, const std::string& path) {
    Node list = Node::empty(Kind::sequence, node.where);
    if (node.is(Kind::string)) list.items.push_back(node);
    for (const Node& item : node.items) {
      if (item.is(Kind::real))
        return refuse(item, fmt::format("{}: {} is no integer", path, item.text), "put it in quotes");
      list.items.push_back(Node::string(item.text, item.where));
    }
    return list.items.empty() ? std::nullopt : Printed(std::move(list));
  }

  Printed words(const Node& node, const std::string& path) {
    if (!node.is(Kind::string)) return node;
    auto split = split_shell_words(node.text);
    if (!split)
      return refuse(node, fmt::format("{} is no command line: {}", path, node.text),
                    "close its quotes and quote parentheses, or write it as a list of strings");
    if (!split->dropped.empty()) {
      findings_.warn(
          node.where,
          fmt::format("{} ends before '{}': a command is run without a shell", path, split->dropped),
          "write it for a shell: [\"sh\", \"-c\", \"...\"]");
    }
    Node list = Node::empty(Kind::sequence, node.where);
    for (std::string& word : split->words) list.items.push_back(Node::string(std::move(word), node.where));
    return list;
  }

  static Printed test(const Node& node, const std::string&) {
    Node list = Node::empty(Kind::sequence, node.where);
    if (node.is(Kind::string)) {
      list.items = {Node::string("CMD-SHELL", node.where), node};
    } else {
      list.items = node.items;
    }
    return list.items.empty() ? std::nullopt : Printed(std::move(list));
  }

  Printed pairs(const Node& node, bool bare, const std::string& path) {
    Node mapping = Node::empty(Kind::mapping, node.where);
    for (const Node::Member& member : node.members) {
      const bool nothing = bare && member.value.is(Kind::null);
      mapping.members.push_back(
          {member.key, member.where,
           nothing ? member.value : Node::string(member.value.text, member.value.where)});
    }
    std::map<std::string, std::size_t> positions;
    for (const Node& item : node.items) {
      const std::size_t equals = item.text.find('=');
      const std::string name = item.text.substr(0, equals);
      if (bare && (name.ends_with(' ') || name.ends_with('\t')))
        return refuse(item, fmt::format("{} has a blank after '{}'", path, name), "write NAME=value");
      Node value = Node::string(equals == std::string::npos ? "" : item.text.substr(equals + 1), item.where);
      if (bare && equals == std::string::npos) value = Node::empty(Kind::null, item.where);
      auto [position, fresh] = positions.emplace(name, mapping.members.size());
      if (fresh) {
        mapping.members.push_back({name, item.where, std::move(value)});
      } else {
        mapping.members[position->second].value = std::move(value);
      }
    }
    return mapping.members.empty() ? std::nullopt : Printed(std::move(mapping));
  }

  static Printed lists(const Node& node) {
    Node mapping = Node::empty(Kind::mapping, node.where);
    for (const Node::Member& member : node.members) {
      Node list = Node::empty(Kind::sequence, member.value.where);
      if (member.value.is_scalar()) list.items.push_back(Node::string(member.value.text, member.value.where));
      for (const Node& item : member.value.items) list.items.push_back(Node::string(item.text, item.where));
      mapping.members.push_back({member.key, member.where, std::move(list)});
    }
    return mapping.members.empty() ? std::nullopt : Printed(std::move(mapping));
  }

  /// By host, and of one host in the order written; as Compose prints them, HOST=ADDRESS sorted.
  Printed hosts(const Node& node, const std::string& path) {
    Node list = Node::empty(Kind::sequence, node.where);
    bool good = true;
    auto add = [&](const std::string& host, std::string_view address, const Where& where) {
      if (host.empty() || host.find_first_of(":=") != std::string::npos) {
        findings_.misshape(where, fmt::format("{}: '{}' is no name of a host", path, host));
        good = false;
      }
      if (address.size() > 2 && address.starts_with('[') && address.ends_with(']'))
        address = address.substr(1, address.size() - 2);
      list.items.push_back(Node::string(fmt::format("{}={}", host, address), where));
    };
    for (const Node::Member& member : node.members) {
      if (member.value.is_scalar()) add(member.key, member.value.text, member.where);
      for (const Node& item : member.value.items) add(member.key, item.text, item.where);
    }
    for (const Node& item : node.items) {
      std::size_t mark = item.text.find('=');
      if (mark == std::string::npos) mark = item.text.find(':');
      if (mark == std::string::npos)
        return refuse(item, fmt::format("{}: '{}' has no address", path, item.text), "write HOST=ADDRESS");
      std::string_view addresses = std::string_view(item.text).substr(mark + 1);
      while (true) {
        const std::string_view address = addresses.substr(0, addresses.find(','));
        add(item.text.substr(0, mark), address, item.where);
        if (address.size() == addresses.size()) break;
        addresses.remove_prefix(address.size() + 1);
      }
    }
    std::ranges::sort(list.items, {}, &Node::text);
    return !good || list.items.empty() ? std::nullopt : Printed(std::move(list));
  }

  /// ID=PATH, which can be read again.
  static Printed keys(const Node& node) {
    Node list = Node::empty(Kind::sequence, node.where);
    for (const Node::Member& member : node.members) {
      const bool bare = member.value.is(Kind::null) || member.value.text.empty();
      list.items.push_back(
          Node::string(bare ? member.key : member.key + "=" + member.value.text, member.where));
    }
    return list.items.empty() ? std::nullopt : Printed(std::move(list));
  }

  Printed sections(const Node& node, const Schema& at, const std::string& path) {
    Node list = Node::empty(Kind::sequence, node.where);
    for (const Node& item : node.items) {
      if (item.is(Kind::mapping))
        list.items.push_back(section(item, *at.any, join(path, std::to_string(list.items.size()))));
    }
    return list.items.empty() ? std::nullopt : Printed(std::move(list));
  }

  Printed names(const Node& node, const Schema& at, const std::string& path) {
    Node mapping = Node::empty(Kind::mapping, node.where);
    for (const Node::Member& member : node.members) {
      Printed printed =
          member.value.is(Kind::null) ? member.value : value(member.value, *at.any, join(path, member.key));
      if (printed) mapping.members.push_back({member.key, member.where, std::move(*printed)});
    }
    return mapping.members.empty() ? std::nullopt : Printed(std::move(mapping));
  }

  Findings& findings_;
};

}  // namespace

Node as_printed(const Node& root, Findings& findings) {
  return Printer(findings).section(root, schema(), "");
}

}  // namespace holdall::app
