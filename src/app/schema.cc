#include "app/schema.h"

#include <algorithm>
#include <deque>
#include <string>

#include "base/edit_distance.h"

namespace holdall::app {
namespace {

/// The nodes of the tree; those handed out stay where they are.
class Tree {
 public:
  Tree() {
    nodes_.emplace_back();
    for (const Shape& shape : shapes()) add(shape);
  }

  const Schema& root() const { return nodes_.front(); }

 private:
  void add(const Shape& shape) {
    std::string_view rest = shape.path;
    Schema* at = &nodes_.front();
    while (true) {
      const std::size_t dot = rest.find('.');
      at = child(*at, rest.substr(0, dot));
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    at->shape = &shape;
  }

  Schema* child(Schema& parent, std::string_view name) {
    const Schema* found = name == "*" ? parent.any : parent.below(name);
    // The nodes are this tree's own, and become const only when it is whole.
    if (found) return const_cast<Schema*>(found);
    Schema* made = &nodes_.emplace_back();
    if (name == "*") {
      parent.any = made;
    } else {
      parent.members.emplace_back(name, made);
    }
    return made;
  }

  std::deque<Schema> nodes_;
};

}  // namespace

const Schema* Schema::below(std::string_view name) const {
  if (any) return any;
  auto found = std::ranges::find(members, name, &std::pair<std::string_view, const Schema*>::first);
  return found == members.end() ? nullptr : found->second;
}

const Schema& schema() {
  static const Tree tree;
  return tree.root();
}

std::string_view nearest_member(const Schema& in, std::string_view name) {
  // A name of a megabyte is no misspelling.
  constexpr std::size_t longest = 40;
  std::string_view nearest;
  std::size_t best = std::min<std::size_t>(3, name.size() / 2 + 1);
  if (name.size() > longest) return nearest;
  for (const auto& [known, below] : in.members) {
    const std::size_t distance = edit_distance(name, known);
    if (distance >= best) continue;
    best = distance;
    nearest = known;
  }
  return nearest;
}

bool is_extension(std::string_view key) { return key.starts_with("x-"); }

bool is_name(std::string_view name) {
  for (char c : name) {
    const bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (!good) return false;
  }
  return !name.empty();
}

}  // namespace holdall::app
