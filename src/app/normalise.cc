#include "app/normalise.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "app/dotenv.h"

namespace holdall::app {
namespace {

namespace fs = std::filesystem;
using Kind = Node::Kind;

bool is_extension(std::string_view key) { return key.starts_with("x-"); }

bool is_url(std::string_view context) {
  return context.find("://") != std::string_view::npos || context.starts_with("git@") ||
         context.starts_with("github.com/");
}

bool is_active(const Node& service, const std::vector<std::string>& wanted) {
  const Node* profiles = service.find("profiles");
  if (!profiles || profiles->items.empty()) return true;
  return std::ranges::any_of(wanted, [&](const std::string& name) {
    return name == "*" ||
           std::ranges::any_of(profiles->items, [&](const Node& item) { return item.text == name; });
  });
}

/// Compose leaves out strings, lists and mappings of nothing, false booleans and zero spans, where they are
/// the default.
void drop_if(Node& node, std::string_view key, auto condition) {
  const Node* member = node.find(key);
  if (member && condition(*member)) node.erase(key);
}

bool is_nothing(const Node& node) {
  return node.is(Kind::null) || (node.is(Kind::string) && node.text.empty()) ||
         (node.is(Kind::sequence) && node.items.empty()) || (node.is(Kind::mapping) && node.members.empty());
}
bool is_false(const Node& node) { return node.is(Kind::boolean) && node.integer == 0; }
bool is_zero(const Node& node) { return node.text == "0s" || (!node.is(Kind::string) && node.real == 0); }

class Normaliser {
 public:
  Normaliser(const NormaliseOptions& options, Findings& findings) : options_(options), findings_(findings) {}

  void project(Node& root) {
    Where named = root.find("name") ? root.find("name")->where : root.where;
    root.erase("name");
    root.members.insert(root.members.begin(), {"name", named, Node::string(options_.name, named)});
    if (!root.find("services")) root.set("services", Node::empty(Kind::mapping, root.where));
    Node& services = *root.find("services");
    std::set<std::string, std::less<>> known;
    for (const Node::Member& member : services.members) known.insert(member.key);
    std::erase_if(services.members, [&](const Node::Member& member) {
      return !is_extension(member.key) && !is_active(member.value, options_.sources.profiles);
    });
    std::set<std::string, std::less<>> active;
    for (const Node::Member& member : services.members) active.insert(member.key);

    bool any = false;
    for (Node::Member& member : services.members) {
      if (is_extension(member.key) && !member.value.is(Kind::mapping)) continue;
      any = true;
      dependencies(member, known, active);
      service(member);
    }
    if (any) default_network(root);
    secrets(root);
  }

 private:
  void default_network(Node& root) {
    Node network = Node::empty(Kind::mapping, root.where);
    network.set("name", Node::string(options_.name + "_default", root.where));
    network.set("ipam", Node::empty(Kind::mapping, root.where));
    Node networks = Node::empty(Kind::mapping, root.where);
    networks.set("default", std::move(network));
    root.set("networks", std::move(networks));
  }

  void dependencies(Node::Member& member, const std::set<std::string, std::less<>>& known,
                    const std::set<std::string, std::less<>>& active) {
    Node* depends_on = member.value.find("depends_on");
    if (!depends_on) return;
    for (Node::Member& entry : depends_on->members) {
      if (!entry.value.find("required")) entry.value.set("required", Node::of(true, entry.where));
      drop_if(entry.value, "restart", is_false);
      bool required = !is_false(*entry.value.find("required"));
      std::string path = fmt::format("services.{}.depends_on", member.key);
      if (!known.contains(entry.key)) {
        if (findings_.incomplete) continue;
        findings_.misshape(entry.where, fmt::format("{}: there is no service '{}'", path, entry.key));
      } else if (!active.contains(entry.key) && required) {
        findings_.misshape(
            entry.where, fmt::format("{}: service '{}' is in a profile that is not active", path, entry.key),
            "activate it with --profile, or write 'required: false'");
      }
    }
  }

  void service(Node::Member& member) {
    Node& node = member.value;
    const std::string path = "services." + member.key;
    if (Node* context = node.find("build")) build(*context, path);
    environment(node, path);
    if (Node* check = node.find("healthcheck")) {
      drop_if(*check, "test", is_nothing);
      drop_if(*check, "disable", is_false);
    }
    if (Node* deploy = node.find("deploy")) deployment(*deploy);
    if (Node* ports = node.find("ports")) {
      for (Node& port : ports->items) {
        for (std::string_view key : {"name", "host_ip", "published", "app_protocol"})
          drop_if(port, key, is_nothing);
      }
    }
    for (std::string_view key : {"profiles", "depends_on", "environment", "expose", "image", "ports",
                                 "restart", "stop_signal", "working_dir"}) {
      drop_if(node, key, is_nothing);
    }
    for (std::string_view key : {"command", "entrypoint"}) {
      if (!node.find(key)) node.set(key, Node::empty(Kind::null, member.where));
    }
    Node networks = Node::empty(Kind::mapping, member.where);
    networks.set("default", Node::empty(Kind::null, member.where));
    node.set("networks", std::move(networks));
    agree_on_replicas(node, path);
    bool built = node.find("image") || node.find("build");
    if (!built && findings_.misshapen == 0 && !findings_.incomplete) {
      findings_.refuse(member.where, fmt::format("{} has neither image nor build", path),
                       "write 'build: .' to run it from this directory");
    }
  }

  /// Of the secrets that services name: where each comes from.
  void secrets(Node& root) {
    Node none = Node::empty(Kind::mapping, root.where);
    Node* declared = root.find("secrets");
    std::set<std::string> used = used_secrets(*root.find("services"), declared ? *declared : none);
    if (!declared) return;
    std::erase_if(declared->members, [&](const Node::Member& member) {
      return !is_extension(member.key) && !used.contains(member.key);
    });
    for (Node::Member& member : declared->members) {
      if (!is_extension(member.key)) secret(member);
    }
    drop_if(root, "secrets", is_nothing);
  }

  std::set<std::string> used_secrets(const Node& services, const Node& declared) {
    std::set<std::string> used;
    for (const Node::Member& service : services.members) {
      const Node* files = service.value.find("secrets");
      if (!files) continue;
      for (const Node& file : files->items) {
        const Node* source = file.find("source");
        if (!source) continue;  // reported already
        used.insert(source->text);
        if (declared.find(source->text)) continue;
        findings_.misshape(
            source->where,
            fmt::format("services.{}.secrets: there is no secret '{}'", service.key, source->text),
            fmt::format("declare it at the top level: 'secrets: {{{}: {{environment: NAME}}}}'",
                        source->text));
      }
    }
    return used;
  }

  void secret(Node::Member& member) {
    const std::string path = "secrets." + member.key;
    Node& node = member.value;
    if (!node.find("name")) node.set("name", Node::string(options_.name + "_" + member.key, member.where));
    Node *file = node.find("file"), *variable = node.find("environment");
    if ((file != nullptr) == (variable != nullptr)) {
      if (findings_.misshapen == 0 && findings_.problems.empty()) {
        findings_.misshape(member.where, fmt::format("{} needs one of file and environment", path),
                           "write 'environment: NAME'");
      }
      return;
    }
    if (file && options_.release) {
      findings_.refuse(file->where,
                       fmt::format("{}.file: a file of this machine is no part of a release", path),
                       "write 'environment: NAME' and seal it: holdall secrets seal NAME < FILE");
    }
    if (file) file->text = absolute(file->text).string();
    if (variable && options_.secrets_must_be_set && !options_.secrets.contains(variable->text)) {
      findings_.refuse(variable->where,
                       fmt::format("{}.environment: {} is not {}", path, variable->text,
                                   options_.release ? "sealed" : "set"),
                       options_.release ? fmt::format("holdall secrets seal {}", variable->text)
                                        : "set it in .env or in the shell");
    }
  }

  void agree_on_replicas(const Node& node, const std::string& path) {
    const Node* scale = node.find("scale");
    const Node* deploy = node.find("deploy");
    const Node* replicas = deploy ? deploy->find("replicas") : nullptr;
    if (scale && replicas && scale->integer != replicas->integer) {
      findings_.refuse(
          scale->where,
          fmt::format("{}: scale is {}, and deploy.replicas is {}", path, scale->text, replicas->text),
          "remove one of them");
    }
  }

  static void deployment(Node& deploy) {
    if (Node* update = deploy.find("update_config")) {
      drop_if(*update, "delay", is_zero);
      drop_if(*update, "max_failure_ratio", is_zero);
      for (std::string_view key : {"failure_action", "order"}) drop_if(*update, key, is_nothing);
    }
    if (!deploy.find("resources")) deploy.set("resources", Node::empty(Kind::mapping, deploy.where));
    deploy.set("placement", Node::empty(Kind::mapping, deploy.where));
  }

  fs::path absolute(const std::string& path) const {
    fs::path joined = (options_.sources.project_dir / path).lexically_normal();
    return joined.has_filename() || joined == joined.root_path() ? joined : joined.parent_path();
  }

  void build(Node& node, const std::string& path) {
    Node* context = node.find("context");
    if (!context) {
      node.set("context", Node::string(".", node.where));
      context = node.find("context");
    }
    if (!is_url(context->text)) context->text = absolute(context->text).string();
    if (!node.find("dockerfile")) node.set("dockerfile", Node::string("Dockerfile", node.where));
    if (Node* args = node.find("args")) {
      fill_in(*args, path + ".build.args", plain);
      std::erase_if(args->members, [](const Node::Member& member) { return member.value.is(Kind::null); });
    }
    for (std::string_view key : {"args", "target", "dockerfile"}) drop_if(node, key, is_nothing);
  }

  enum Values : std::uint8_t { plain, secret_template };

  /// Gives names without a value the caller's, or the secret's of that name.
  void fill_in(Node& pairs, const std::string& path, Values values) {
    for (Node::Member& member : pairs.members) {
      if (!member.value.is(Kind::null)) continue;
      bool secret = options_.secrets.contains(member.key);
      auto value = options_.variables(member.key);
      if (secret && values == secret_template) {
        member.value = Node::string("${" + member.key + "}", member.where);
      } else if (secret) {
        findings_.refuse(member.where,
                         fmt::format("{}.{} is a secret, and would be seen here", path, member.key),
                         "remove it: a secret is for instances alone");
      } else if (value) {
        if (values == plain) options_.use.elsewhere.try_emplace(member.key, text(member.where));
        if (values == secret_template)
          options_.use.templates[path + "." + member.key] = "${" + member.key + "}";
        member.value = Node::string(values == plain ? *value : escape_dollars(*value), member.where);
      } else if (options_.release) {
        findings_.refuse(
            member.where,
            fmt::format("{}.{} has no value, and a release sees nobody's shell", path, member.key),
            fmt::format("write its value here or in an env_file, or seal it: holdall secrets seal {}",
                        member.key));
      }
    }
  }

  /// `environment` over the env files, a later file over an earlier one.
  void environment(Node& service, const std::string& path) {
    if (!service.find("environment")) service.set("environment", Node::empty(Kind::mapping, service.where));
    fill_in(*service.find("environment"), path + ".environment", secret_template);
    const Node* files = service.find("env_file");
    if (!files) return;
    std::map<std::string, std::string> variables;
    std::map<std::string, Where> origins;
    for (const Node& file : files->items) read_env_file(service, file, path, variables, origins);

    Node merged = *service.find("environment");
    std::set<std::string, std::less<>> declared;
    for (const Node::Member& member : merged.members) declared.insert(member.key);
    for (const auto& [name, value] : variables) {
      if (!declared.contains(name))
        merged.members.push_back({name, origins[name], Node::string(escape_dollars(value), origins[name])});
    }
    service.set("environment", std::move(merged));
    service.erase("env_file");
  }

  void read_env_file(const Node& service, const Node& entry, const std::string& path,
                     std::map<std::string, std::string>& variables, std::map<std::string, Where>& origins) {
    const Node* written = entry.find("path");
    if (!written || !written->is(Kind::string)) return;  // reported already
    const Node* format = entry.find("format");
    if (format && format->text != "raw" && !format->text.empty()) {
      findings_.refuse(format->where, fmt::format("{}.env_file: format '{}' is unknown", path, format->text),
                       "it is raw, or not written at all");
      return;
    }
    const Node* required = entry.find("required");
    fs::path file = absolute(written->text);
    auto bytes = options_.read(file);
    if (!bytes) {
      if (required && is_false(*required)) return;
      findings_.refuse(written->where, fmt::format("{}.env_file: there is no file {}", path, file.string()),
                       "write it, or 'required: false' beside its path");
      return;
    }
    if (options_.env_files) options_.env_files->emplace_back(file, written->where);
    const Node& declared = *service.find("environment");
    std::map<std::string_view, const Node*> values;
    for (const Node::Member& member : declared.members) values.emplace(member.key, &member.value);
    std::set<std::string> secrets;
    Lookup outside = [&](const std::string& name) -> std::optional<std::string> {
      if (options_.secrets.contains(name)) return secrets.insert(name), "";
      if (auto value = options_.variables(name)) {
        options_.use.elsewhere.try_emplace(name, text(written->where));
        return value;
      }
      auto own = values.find(name);
      if (own == values.end() || own->second->is(Kind::null)) return std::nullopt;
      std::string value = unescape_dollars(own->second->text);
      if (escape_dollars(value) != own->second->text) return secrets.insert(name), "";
      return value;
    };
    std::string name = shown(file, options_.sources.project_dir);
    auto before = variables;
    parse_dotenv(*bytes, format && format->text == "raw" ? DotenvFormat::raw : DotenvFormat::compose, name,
                 outside, variables, findings_);
    for (const std::string& secret : secrets) {
      findings_.refuse({name, 0, 0},
                       fmt::format("{} is a secret, and an env_file holds plain values", secret),
                       fmt::format("write what needs it in {}.environment", path));
    }
    for (const auto& [key, value] : variables) {
      auto old = before.find(key);
      if (old == before.end() || old->second != value) origins[key] = {name, 0, 0};
    }
  }

  const NormaliseOptions& options_;
  Findings& findings_;
};

}  // namespace

void normalise(Node& root, const NormaliseOptions& options, Findings& findings) {
  Normaliser(options, findings).project(root);
}

}  // namespace holdall::app
