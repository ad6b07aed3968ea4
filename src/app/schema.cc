#include "app/schema.h"

#include <algorithm>
#include <deque>
#include <string>

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
