#include "app/support.h"

#include <fmt/format.h>

#include "app/keys.h"
#include "app/scalars.h"
#include "app/schema.h"

namespace holdall::app {
namespace {

class Check {
 public:
  Check(const std::set<std::string>& inactive, Findings& findings)
      : inactive_(inactive), findings_(findings) {}

  void members(const Node& node, const Schema& at, const std::string& path) {
    for (const Node::Member& member : node.members) {
      const Schema* below = at.below(member.key);
      const bool service = at.shape && at.shape->path == "services";
      if (!below || (service && inactive_.contains(member.key))) continue;
      const std::string name = join(path, member.key);
      if (admit(*below, member, name)) items(member.value, *below, name);
    }
  }

 private:
  void items(const Node& node, const Schema& at, const std::string& path) {
    if (at.any && node.is(Node::Kind::sequence)) {
      for (std::size_t i = 0; i < node.items.size(); ++i)
        members(node.items[i], *at.any, join(path, std::to_string(i)));
    } else {
      members(node, at, path);
    }
  }

  /// False if the key is refused, and what is below it with it.
  bool admit(const Schema& at, const Node::Member& member, const std::string& path) {
    const Key* key = at.shape ? find_key(at.shape->path) : nullptr;
    if (!key) return true;
    if (key->support == Support::refused) {
      findings_.refuse(member.where, fmt::format("{} is refused: {}", path, key->note),
                       std::string(key->remedy));
      return false;
    }
    if (key->support == Support::different && key->note.starts_with("without effect"))
      findings_.warn(member.where, fmt::format("{} is {}", path, key->note));
    return true;
  }

  const std::set<std::string>& inactive_;
  Findings& findings_;
};

}  // namespace

void check_support(const Node& root, const std::set<std::string>& inactive, Findings& findings) {
  Check(inactive, findings).members(root, schema(), "");
}

}  // namespace holdall::app
