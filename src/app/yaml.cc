#include "app/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "app/scalar.h"
#include "app/yaml_fault.h"

namespace holdall::app {
namespace {

// What compose-go allows; an alias counts for all the nodes it stands for, so that a small file cannot become
// a large tree.
constexpr std::size_t kMostNodes = 100'000;
// libyaml takes quadratic time in the nesting, and every later step recurses; no real file comes near it.
constexpr int kDeepest = 100;
// Each is merged onto all before it, so that their number is what time is quadratic in.
constexpr std::size_t kMostDocuments = 100;

int height(const Node& node) {
  int most = 0;
  for (const Node& item : node.items) most = std::max(most, height(item));
  for (const Node::Member& member : node.members) most = std::max(most, height(member.value));
  return most + 1;
}

/// One event of libyaml and the duty to free it.
class Event {
 public:
  Event() = default;
  explicit Event(yaml_parser_t& parser) : parsed_(yaml_parser_parse(&parser, &event_) != 0) {}
  Event(Event&& other) noexcept : event_(other.event_), parsed_(std::exchange(other.parsed_, false)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(event_, other.event_);
    std::swap(parsed_, other.parsed_);
    return *this;
  }
  ~Event() {
    if (parsed_) yaml_event_delete(&event_);
  }

  bool parsed() const { return parsed_; }
  yaml_event_type_t type() const { return event_.type; }
  const yaml_event_t& operator*() const { return event_; }
  const yaml_event_t* operator->() const { return &event_; }

 private:
  yaml_event_t event_{};
  bool parsed_ = false;
};

std::string_view view(const yaml_char_t* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

/// Turns the events of one stream into nodes. After a fault that leaves no way on, `failed_` is set and every
/// step returns at once.
class Composer {
 public:
  Composer(std::string_view bytes, const std::string& file, Findings& findings)
      : bytes_(bytes), file_(file), findings_(findings) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(bytes.data()),
                                 bytes.size());
  }
  ~Composer() { yaml_parser_delete(&parser_); }
  Composer(const Composer&) = delete;

  std::vector<Node> documents() {
    std::vector<Node> documents;
    while (advance() && event_.type() != YAML_STREAM_END_EVENT) {
      if (event_.type() != YAML_DOCUMENT_START_EVENT) continue;
      if (documents.size() == kMostDocuments) {
        fail(where(event_->start_mark), fmt::format("more than {} documents in one file", kMostDocuments));
        break;
      }
      anchors_.clear();
      if (!advance()) break;
      documents.push_back(compose(1));
    }
    if (failed_ && !documents.empty()) documents.pop_back();
    return documents;
  }

 private:
  struct Anchor {
    bool open = true;  ///< its node is still being composed: an alias to it would be a cycle
    Node node;
    std::size_t count = 0;
    int height = 0;
  };

  Where where(const yaml_mark_t& mark) const {
    return {file_, static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1};
  }

  Where where_of_byte(std::size_t offset) const {
    const std::string_view before = bytes_.substr(0, offset);
    const std::size_t line = before.rfind('\n');
    const std::size_t column = line == std::string_view::npos ? before.size() : before.size() - line - 1;
    return {file_, static_cast<int>(std::ranges::count(before, '\n')) + 1, static_cast<int>(column) + 1};
  }

  void fail(const Where& where, std::string what, std::string hint = "") {
    if (!failed_) findings_.misshape(where, std::move(what), std::move(hint));
    failed_ = true;
  }

  bool advance() {
    if (failed_) return false;
    event_ = Event(parser_);
    if (event_.parsed()) return true;
    YamlFault fault{.problem = parser_.problem ? parser_.problem : "the file cannot be read",
                    .at = where(parser_.problem_mark),
                    .context = parser_.context ? parser_.context : "",
                    .begun = {}};
    if (parser_.context) fault.begun = where(parser_.context_mark);
    if (parser_.error == YAML_READER_ERROR) fault.at = where_of_byte(parser_.problem_offset);
    Problem problem = explain(fault, bytes_);
    fail(problem.where, std::move(problem.what), std::move(problem.hint));
    return false;
  }

  bool spend(std::size_t nodes) {
    spent_ += nodes;
    if (spent_ <= kMostNodes) return true;
    fail(where(event_->start_mark), fmt::format("more than {} values, aliases counted in full", kMostNodes));
    return false;
  }

  /// The node that begins at the current event; on return, the current event is its last.
  Node compose(int depth) {
    if (depth > kDeepest) {
      fail(where(event_->start_mark), fmt::format("more than {} levels deep", kDeepest));
      return {};
    }
    if (!spend(1)) return {};
    if (event_.type() == YAML_ALIAS_EVENT) return alias(depth);

    std::string name(anchor_name());
    if (!name.empty()) anchors_[name] = {};
    Node node = event_.type() == YAML_SCALAR_EVENT           ? scalar()
                : event_.type() == YAML_SEQUENCE_START_EVENT ? sequence(depth)
                                                             : mapping(depth);
    if (!name.empty() && !failed_) {
      std::size_t count = count_nodes(node);
      if (!spend(count)) return {};
      anchors_[name] = {false, node, count, height(node)};
    }
    return node;
  }

  std::string_view anchor_name() const {
    switch (event_.type()) {
      case YAML_SCALAR_EVENT: return view(event_->data.scalar.anchor);
      case YAML_SEQUENCE_START_EVENT: return view(event_->data.sequence_start.anchor);
      case YAML_MAPPING_START_EVENT: return view(event_->data.mapping_start.anchor);
      default: return {};
    }
  }

  Node alias(int depth) {
    Where place = where(event_->start_mark);
    std::string name(view(event_->data.alias.anchor));
    auto anchor = anchors_.find(name);
    if (anchor == anchors_.end()) {
      fail(place, fmt::format("alias '*{}' has no anchor", name),
           fmt::format("write '&{}' before the value it stands for", name));
      return {};
    }
    if (anchor->second.open) {
      fail(place, fmt::format("alias '*{}' stands inside its own anchor: a cycle", name));
      return {};
    }
    if (depth + anchor->second.height > kDeepest) {
      fail(place, fmt::format("more than {} levels deep through alias '*{}'", kDeepest, name));
      return {};
    }
    if (!spend(anchor->second.count)) return {};
    return anchor->second.node;
  }

  static Node::Tag merge_tag(std::string_view tag) {
    if (tag == "!reset") return Node::Tag::reset;
    if (tag == "!override") return Node::Tag::override_;
    return Node::Tag::none;
  }

  Node scalar() {
    const auto& data = event_->data.scalar;
    std::string_view text(reinterpret_cast<const char*>(data.value), data.length);
    std::string_view tag = view(data.tag);
    constexpr std::string_view core = "tag:yaml.org,2002:";
    bool explicit_core = tag.starts_with(core) && tag != "tag:yaml.org,2002:str";
    bool plain = data.style == YAML_PLAIN_SCALAR_STYLE && (tag.empty() || merge_tag(tag) != Node::Tag::none);
    Node node = plain || explicit_core ? resolve_scalar(text) : Node::string(std::string(text), {});
    node.tag = merge_tag(tag);
    node.where = where(event_->start_mark);
    if (explicit_core) make_tagged(node, tag.substr(core.size()), text);
    if (text.find('\0') != std::string_view::npos) {
      findings_.misshape(node.where, "a value may not hold a NUL byte: no variable, argument or path can");
      node.text.clear();
    }
    return node;
  }

  /// A tag says what a scalar must be; an integer is a float where it says so.
  void make_tagged(Node& node, std::string_view tag, std::string_view text) {
    using enum Node::Kind;
    const std::pair<std::string_view, Node::Kind> kinds[] = {
        {"null", null}, {"bool", boolean}, {"int", integer}, {"float", real}, {"timestamp", timestamp}};
    for (const auto& [name, kind] : kinds) {
      if (tag != name || node.is(kind)) continue;
      if (kind == real && node.is(integer)) {
        node.kind = real;
        node.text = print_real(node.real);
      } else {
        findings_.misshape(node.where,
                           fmt::format("'{}' is {}, and its tag says !!{}", text, describe(node.kind), tag),
                           "remove the tag");
      }
    }
  }

  Node sequence(int depth) {
    Node node = Node::empty(Node::Kind::sequence, where(event_->start_mark));
    node.tag = merge_tag(view(event_->data.sequence_start.tag));
    while (advance() && event_.type() != YAML_SEQUENCE_END_EVENT) node.items.push_back(compose(depth + 1));
    return node;
  }

  Node mapping(int depth) {
    Node node = Node::empty(Node::Kind::mapping, where(event_->start_mark));
    node.tag = merge_tag(view(event_->data.mapping_start.tag));
    std::unordered_map<std::string, int> lines;  // of the keys so far
    std::optional<Node> merged;                  // the value of `<<`
    while (advance() && event_.type() != YAML_MAPPING_END_EVENT) {
      bool merge = is_merge_key();
      Node key = compose(depth + 1);
      if (!advance()) break;
      Node value = compose(depth + 1);
      if (failed_) break;
      if (!merge && !key.is(Node::Kind::string)) {
        std::string hint = key.is_scalar() ? fmt::format("quote it: \"{}\"", key.text) : "";
        findings_.misshape(key.where,
                           fmt::format("a key must be a string, and this is {}", describe(key.kind)), hint);
        continue;
      }
      std::string name = merge ? "<<" : key.text;
      auto [first, fresh] = lines.emplace(name, key.where.line);
      if (!fresh) {
        findings_.misshape(key.where,
                           fmt::format("key \"{}\" is already defined at line {}", name, first->second),
                           merge ? "merge several with a list: '<<: [*a, *b]'" : "remove one of them");
        continue;
      }
      if (merge) {
        merged = std::move(value);
      } else {
        node.members.push_back({std::move(name), key.where, std::move(value)});
      }
    }
    if (merged && !failed_) merge_into(node, *merged, lines);
    return node;
  }

  bool is_merge_key() const {
    return event_.type() == YAML_SCALAR_EVENT && event_->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           view(event_->data.scalar.value) == "<<";
  }

  /// `<<`: members that the mapping does not have itself; of several sources the earlier wins.
  void merge_into(Node& node, Node& source, std::unordered_map<std::string, int>& lines) {
    if (source.is(Node::Kind::sequence)) {
      for (Node& item : source.items) {
        if (item.is(Node::Kind::mapping)) {
          merge_into(node, item, lines);
        } else {
          findings_.misshape(item.where,
                             fmt::format("'<<' merges mappings, and this is {}", describe(item.kind)));
        }
      }
    } else if (source.is(Node::Kind::mapping)) {
      for (Node::Member& member : source.members) {
        if (lines.emplace(member.key, member.where.line).second) node.members.push_back(std::move(member));
      }
    } else {
      findings_.misshape(source.where, fmt::format("'<<' merges a mapping or a list of them, and this is {}",
                                                   describe(source.kind)));
    }
  }

  yaml_parser_t parser_;
  std::string_view bytes_;
  const std::string& file_;
  Findings& findings_;
  Event event_;
  std::map<std::string, Anchor> anchors_;
  std::size_t spent_ = 0;
  bool failed_ = false;
};

}  // namespace

std::vector<Node> parse_yaml(std::string_view bytes, const std::string& file, Findings& findings) {
  return Composer(bytes, file, findings).documents();
}

}  // namespace holdall::app
