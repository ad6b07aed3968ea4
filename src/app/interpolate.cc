#include "app/interpolate.h"

#include <fmt/format.h>

namespace holdall::app {
namespace {

// Of all values together: a long variable named in each of a hundred thousand values.
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

class Interpolation {
 public:
  Interpolation(const Lookup& lookup, Unset& unset, Findings& findings)
      : lookup_(lookup), unset_(unset), findings_(findings) {}

  void visit(Node& node, const std::string& path) {
    if (node.is(Node::Kind::string)) return replace(node, path);
    for (std::size_t i = 0; i < node.items.size(); ++i) visit(node.items[i], fmt::format("{}.{}", path, i));
    for (Node::Member& member : node.members) {
      visit(member.value, path.empty() ? member.key : fmt::format("{}.{}", path, member.key));
    }
  }

 private:
  void replace(Node& node, const std::string& path) {
    if (node.text.find('$') == std::string::npos || spent_ > kMostBytes) return;
    auto note_unset = [&](const std::string& name) { unset_[name].push_back(node.where); };
    Substituted result = substitute(node.text, lookup_, note_unset);
    spent_ += result.text.size();
    if (!result.error.empty()) {
      findings_.misshape(node.where, fmt::format("{}: {}", path, result.error));
      node.text.clear();
    } else if (spent_ > kMostBytes) {
      findings_.misshape(node.where, fmt::format("{}: the values grow over 64 MiB", path));
    } else {
      node.text = std::move(result.text);
    }
  }

  const Lookup& lookup_;
  Unset& unset_;
  Findings& findings_;
  std::size_t spent_ = 0;
};

}  // namespace

void interpolate(Node& root, const Lookup& lookup, Unset& unset, Findings& findings) {
  Interpolation(lookup, unset, findings).visit(root, "");
}

}  // namespace holdall::app
