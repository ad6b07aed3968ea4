#include "app/support.h"

#include "app/keys.h"
#include "app/scalars.h"
#include "app/schema.h"

namespace holdall::app {
namespace {

class Uses {
 public:
  explicit Uses(const std::set<std::string>& inactive) : inactive_(inactive) {}

  void members(const Node& node, const Schema& at, const std::string& path) {
    for (const Node::Member& member : node.members) {
      const Schema* below = at.below(member.key);
      const bool service = at.shape && at.shape->path == "services";
      if (!below || (service && inactive_.contains(member.key))) continue;
      const std::string name = join(path, member.key);
      if (admit(*below, member, name)) items(member.value, *below, name);
    }
  }

  std::vector<KeyUse> found;

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
    // What the long form of a short one adds has its value's own place.
    if (member.where == member.value.where && key->support != Support::refused) return true;
    found.push_back({path, member.where, key->support, std::string(key->note), std::string(key->remedy)});
    return key->support != Support::refused;
  }

  const std::set<std::string>& inactive_;
};

}  // namespace

std::vector<KeyUse> key_uses(const Node& root, const std::set<std::string>& inactive) {
  Uses uses(inactive);
  uses.members(root, schema(), "");
  return uses.found;
}

}  // namespace holdall::app
