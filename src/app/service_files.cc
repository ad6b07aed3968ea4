#include "app/service_files.h"

#include <fmt/format.h>

#include "app/dotenv.h"
#include "app/schema.h"

namespace holdall::app {
namespace {

namespace fs = std::filesystem;
using Kind = Node::Kind;

// What of a file is worth a value, however few are in it: it is read once for each service that names it.
constexpr std::size_t kBytesOfValue = 128;

/// What files said, and which file said it last.
struct Values {
  std::map<std::string, std::string> values;
  std::map<std::string, Where> origins;

  void note(const std::map<std::string, std::string>& before, const std::string& file) {
    for (const auto& [key, value] : values) {
      auto old = before.find(key);
      if (old == before.end() || old->second != value) origins[key] = {file, 0, 0};
    }
  }
};

class ServiceFiles {
 public:
  ServiceFiles(const ServiceFileOptions& options, Findings& findings)
      : options_(options), findings_(findings) {}

  void service(Node& node, const std::string& path) {
    if (const Node* files = node.find("env_file")) {
      const Node declared = member_or_empty(node, "environment");
      Values all;
      for (const Node& file : files->items) env_file(declared, file, path, all);
      put_under(node, "environment", all, escape_dollars);
    }
    if (const Node* files = node.find("label_file")) {
      Values all;
      for (const Node& file : files->items) label_file(file, path, all);
      put_under(node, "labels", all, [](std::string_view text) { return std::string(text); });
    }
    node.erase("env_file");
    node.erase("label_file");
  }

 private:
  static Node member_or_empty(const Node& node, std::string_view key) {
    const Node* member = node.find(key);
    return member ? *member : Node::empty(Kind::mapping, node.where);
  }

  /// What the service itself says stays, and stays before what files say.
  void put_under(Node& node, std::string_view key, const Values& all, auto&& escape) {
    Node merged = member_or_empty(node, key);
    std::set<std::string, std::less<>> declared;
    for (const Node::Member& member : merged.members) declared.insert(member.key);
    findings_.grow(all.values.size(), node.where, key);
    for (const auto& [name, value] : all.values) {
      const Where& origin = all.origins.at(name);
      if (!declared.contains(name))
        merged.members.push_back({name, origin, Node::string(escape(value), origin)});
    }
    if (!merged.members.empty()) node.set(key, std::move(merged));
  }

  std::optional<std::string> read(const fs::path& file, const Node& place, const std::string& key,
                                  bool required) {
    auto bytes = options_.read(file);
    if (bytes) findings_.grow(1 + bytes->size() / kBytesOfValue, place.where, key);
    if (!bytes && required) {
      findings_.refuse(place.where, fmt::format("{}: there is no file {}", key, file.string()),
                       key.ends_with("env_file") ? "write it, or 'required: false' beside its path" : "");
    }
    return bytes;
  }

  void env_file(const Node& declared, const Node& entry, const std::string& path, Values& all) {
    const Node *written = entry.find("path"), *format = entry.find("format"),
               *required = entry.find("required");
    if (!written) return;
    if (format && format->text != "raw") {
      findings_.refuse(format->where, fmt::format("{}.env_file: format '{}' is unknown", path, format->text),
                       "it is raw, or not written at all");
      return;
    }
    const fs::path file = written->text;
    auto bytes = read(file, *written, path + ".env_file", !required || required->integer != 0);
    if (!bytes) return;
    options_.env_files.emplace_back(file, written->where);
    std::set<std::string> secrets;
    const Lookup outside = [&](const std::string& name) {
      return look_up(name, declared, written->where, secrets);
    };
    const std::string name = shown(file, options_.project_dir);
    const auto before = all.values;
    parse_dotenv(*bytes, format ? DotenvFormat::raw : DotenvFormat::compose, name, outside, all.values,
                 findings_);
    for (const std::string& secret : secrets) {
      findings_.refuse({name, 0, 0},
                       fmt::format("{} is a secret, and an env_file holds plain values", secret),
                       fmt::format("write what needs it in {}.environment", path));
    }
    all.note(before, name);
  }

  /// The project's variables, then the service's own; names of secrets are collected.
  std::optional<std::string> look_up(const std::string& name, const Node& declared, const Where& where,
                                     std::set<std::string>& secrets) {
    if (options_.secrets.contains(name)) return secrets.insert(name), "";
    if (auto value = options_.variables(name)) {
      options_.use.elsewhere.try_emplace(name, text(where));
      return value;
    }
    const Node* own = declared.find(name);
    if (!own || own->is(Kind::null)) return std::nullopt;
    std::string value = unescape_dollars(own->text);
    if (escape_dollars(value) != own->text) return secrets.insert(name), "";
    return value;
  }

  void label_file(const Node& written, const std::string& path, Values& all) {
    const fs::path file = written.text;
    auto bytes = read(file, written, path + ".label_file", true);
    if (!bytes) return;
    const auto before = all.values;
    const Lookup outside = [&](const std::string& name) -> std::optional<std::string> {
      auto found = before.find(name);
      return found == before.end() ? std::nullopt : std::optional(found->second);
    };
    const std::string name = shown(file, options_.project_dir);
    parse_dotenv(*bytes, DotenvFormat::compose, name, outside, all.values, findings_);
    all.note(before, name);
  }

  const ServiceFileOptions& options_;
  Findings& findings_;
};

}  // namespace

void read_service_files(Node& root, const ServiceFileOptions& options, Findings& findings) {
  Node* services = root.find("services");
  if (!services) return;
  for (Node::Member& member : services->members)
    ServiceFiles(options, findings).service(member.value, "services." + member.key);
}

}  // namespace holdall::app
