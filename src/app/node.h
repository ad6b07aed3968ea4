#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace holdall::app {

/// A value of a YAML document and the place it was written at. Every step of the reader takes nodes and gives
/// nodes, so that whatever a later step finds wrong can name file, line and column.
struct Node {
  enum class Kind : std::uint8_t { null, boolean, integer, real, timestamp, string, sequence, mapping };
  enum class Tag : std::uint8_t { none, reset, override_ };  ///< `!reset`, `!override`: how it is merged
  struct Member;

  Kind kind = Kind::null;
  Tag tag = Tag::none;
  std::string text;             ///< a string's value; of another scalar, its canonical text ("31" for 0x1F)
  std::int64_t integer = 0;     ///< of an integer; 1 or 0 of a boolean
  double real = 0;              ///< of an integer or a real
  std::vector<Node> items;      ///< of a sequence
  std::vector<Member> members;  ///< of a mapping, in the order written; names are unique
  Where where;

  bool is(Kind other) const { return kind == other; }
  bool is_scalar() const { return kind < Kind::sequence; }

  /// The member's value, or nullptr. Valid until the mapping changes. Linear: for mappings whose names we
  /// know.
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
  void erase(std::string_view key);

  /// Adds the member or replaces its value and place.
  void set(std::string_view key, Node value);

  static Node string(std::string text, Where where);
  static Node of(std::int64_t value, Where where);
  static Node of(bool value, Where where);
  static Node empty(Kind kind, Where where);  ///< null, or a sequence or mapping of nothing
};

struct Node::Member {
  std::string key;
  Where where;
  Node value;
};

/// Whether they are the same value, wherever they were written and in whatever order their members stand.
bool same_value(const Node& a, const Node& b);
/// The same of two nodes that are the same value.
std::size_t hash_value(const Node& node);

/// Node::set for a mapping of which nobody knows how large it becomes. Nobody else changes it meanwhile.
class Setter {
 public:
  explicit Setter(Node& mapping);
  void set(const std::string& key, Node value);

 private:
  Node& mapping_;
  std::unordered_map<std::string, std::size_t> positions_;
};

/// Of a node and all below it.
std::size_t count_nodes(const Node& node);

/// "a mapping", "a list", "a string", ...
std::string_view describe(Node::Kind kind);

}  // namespace holdall::app
