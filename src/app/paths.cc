#include "app/paths.h"

#include <fmt/format.h>

#include "app/scalars.h"
#include "app/schema.h"
#include "app/volumes.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

bool is_separator(char c) { return c == '/' || c == '\\'; }

bool is_windows_absolute(std::string_view path) {
  if (path.starts_with("\\\\")) return true;
  return path.size() > 2 && path[1] == ':' && is_separator(path[2]);
}

class Paths {
 public:
  Paths(const std::filesystem::path& directory, const std::string& home, Findings& findings)
      : directory_(directory.string()), home_(home), findings_(findings) {}

  void walk(Node& node, const Schema& at, const std::string& path) {
    const Path kind = at.shape ? at.shape->rules.path : Path::no;
    if (kind != Path::no) return texts(node, kind);
    if (at.shape && at.shape->rules.short_form == Short::keys) return texts(node, Path::unix_);
    if (at.shape && at.shape->rules.short_form == Short::volumes) return mounts(node, path);
    if (at.shape && at.shape->path == "volumes.*") return bound_volume(node);
    if (at.any && node.is(Kind::sequence)) {
      for (std::size_t i = 0; i < node.items.size(); ++i)
        walk(node.items[i], *at.any, join(path, std::to_string(i)));
    }
    for (Node::Member& member : node.members) {
      if (const Schema* below = at.below(member.key)) walk(member.value, *below, join(path, member.key));
    }
  }

 private:
  void texts(Node& node, Path kind) const {
    if (node.is(Kind::string)) node.text = absolute(node.text, kind);
    for (Node& item : node.items) texts(item, kind);
    for (Node::Member& member : node.members) texts(member.value, kind);
  }

  std::string absolute(const std::string& text, Path kind) const {
    constexpr std::string_view service = "service:";
    if (kind == Path::context &&
        (text.find("://") != std::string::npos || text.starts_with(service) || is_remote(text)))
      return text;
    if (text.starts_with('~') && !home_.empty()) return clean_path(home_ + "/" + text.substr(1));
    if (text.starts_with('/') || (text.empty() && kind != Path::unix_)) return text;
    if (kind == Path::unix_ && is_windows_absolute(text)) return text;
    return clean_path(directory_ + "/" + text);
  }

  void mounts(Node& node, const std::string& path) {
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      Node& mount = node.items[i];
      const Node* type = mount.find("type");
      if (!type || type->text != "bind") continue;
      if (Node* source = mount.find("source")) {
        texts(*source, Path::unix_);
      } else {
        findings_.misshape(mount.where, fmt::format("{}.{} binds nothing: it has no source", path, i),
                           "write 'source: ./directory'");
      }
    }
  }

  /// A volume of the local driver may be a directory in disguise.
  void bound_volume(Node& node) const {
    const Node* driver = node.find("driver");
    Node* options = node.find("driver_opts");
    if (!driver || driver->text != "local" || !options) return;
    const Node* how = options->find("o");
    Node* device = options->find("device");
    if (how && how->text == "bind" && device) texts(*device, Path::unix_);
  }

  const std::string directory_;
  const std::string& home_;
  Findings& findings_;
};

}  // namespace

bool is_remote(std::string_view context) {
  for (std::string_view prefix : {"https://", "http://", "git://", "ssh://", "github.com/", "git@"}) {
    if (context.starts_with(prefix)) return true;
  }
  return false;
}

void resolve_paths(Node& root, const std::filesystem::path& directory, const std::string& home,
                   Findings& findings) {
  Paths(directory, home, findings).walk(root, schema(), "");
}

}  // namespace holdall::app
