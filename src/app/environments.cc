#include "app/environments.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "app/merge.h"
#include "app/validate.h"
#include "base/edit_distance.h"

namespace holdall::app {
namespace {

namespace fs = std::filesystem;
using Kind = Node::Kind;

constexpr std::string_view kProduction = "production";
constexpr std::string_view kBlock = "environments";

Node* block_of(Node& document) {
  Node* extension = document.find("x-holdall");
  return extension ? extension->find(kBlock) : nullptr;
}

/// One entry's values, each with its place in problems.
class Entry {
 public:
  Entry(const Node::Member& member, const Sources& sources, Findings& findings)
      : member_(member),
        path_(fmt::format("x-holdall.environments.{}", member.key)),
        sources_(sources),
        findings_(findings) {}

  Environment read() {
    Environment made;
    made.name = member_.key;
    made.place = member_.where;
    if (!is_project_name(made.name)) {
      findings_.refuse(member_.where, fmt::format("{}: '{}' is no name of an environment", path_, made.name),
                       "it is lower-case letters, digits, '-' and '_', and begins with a letter or a digit");
    }
    for (const Node* node : texts("host")) add_host(*node, made);
    made.app = text("app");
    if (!made.app.empty() && !is_project_name(made.app)) {
      refuse("app", fmt::format("'{}' is no name of an app", made.app),
             "lower-case letters, digits, '-' and '_'");
    }
    made.domain = text("domain");
    for (const Node* node : texts("files")) made.files.push_back(absolute(node->text));
    for (const Node* node : texts("env_file")) made.env_files.push_back(absolute(node->text));
    for (const Node* node : texts("profiles")) made.profiles.push_back(node->text);
    std::string build = text("build");
    made.builds_here = build == "local";
    if (!build.empty() && build != "local" && build != "server")
      refuse("build", fmt::format("'{}' is neither server nor local", build),
             "write server, or leave it out");
    made.schedules = on_or_off("schedules", true);
    made.is_protected = on_or_off("protected", false);
    return made;
  }

 private:
  fs::path absolute(const std::string& path) const {
    return (sources_.project_dir / path).lexically_normal();
  }

  void refuse(std::string_view key, std::string_view what, std::string hint) {
    const Node* node = member_.value.find(key);
    findings_.refuse(node ? node->where : member_.where, fmt::format("{}.{}: {}", path_, key, what),
                     std::move(hint));
  }

  bool is_plain(const Node& node, std::string_view key) {
    if (!node.is(Kind::string)) {
      findings_.refuse(
          node.where, fmt::format("{}.{} must be a string, and this is {}", path_, key, describe(node.kind)));
      return false;
    }
    if (node.text.find('$') == std::string::npos) return true;
    findings_.refuse(node.where, fmt::format("{}.{} has a dollar sign in it", path_, key),
                     "write the value itself: environments are read before any variable has one");
    return false;
  }

  std::string text(std::string_view key) {
    const Node* node = member_.value.find(key);
    return node && !node->is(Kind::null) && is_plain(*node, key) ? node->text : "";
  }

  /// A string, or a list of them.
  std::vector<const Node*> texts(std::string_view key) {
    std::vector<const Node*> found;
    const Node* node = member_.value.find(key);
    if (!node || node->is(Kind::null)) return found;
    if (!node->is(Kind::sequence)) {
      if (is_plain(*node, key)) found.push_back(node);
      return found;
    }
    for (const Node& item : node->items) {
      if (is_plain(item, key)) found.push_back(&item);
    }
    return found;
  }

  bool on_or_off(std::string_view key, bool otherwise) {
    const Node* node = member_.value.find(key);
    if (!node || node->is(Kind::null)) return otherwise;
    if (node->is(Kind::boolean)) return node->integer != 0;
    if (node->is(Kind::string) && (node->text == "on" || node->text == "off")) return node->text == "on";
    refuse(key, "must be true or false", "");
    return otherwise;
  }

  void add_host(const Node& node, Environment& made) {
    try {
      made.hosts.push_back(parse_host(node.text));
    } catch (const Error& error) {
      findings_.refuse(node.where, fmt::format("{}.host: {}", path_, error.what()));
      return;
    }
    if (std::ranges::count(made.hosts, made.hosts.back()) > 1)
      findings_.refuse(node.where, fmt::format("{}.host: {} is there twice", path_, node.text),
                       "remove one of them");
  }

  const Node::Member& member_;
  const std::string path_;
  const Sources& sources_;
  Findings& findings_;
};

std::string names_of(const std::vector<Environment>& environments) {
  std::string names;
  for (const Environment& each : environments) names += (names.empty() ? "" : ", ") + each.name;
  return names;
}

std::string nearest(const std::vector<Environment>& environments, const std::string& typed) {
  std::string nearest;
  std::size_t best = std::min<std::size_t>(3, typed.size() / 2 + 1);
  for (const Environment& each : environments) {
    std::size_t slips = edit_distance(typed, each.name);
    if (slips >= best) continue;
    best = slips;
    nearest = each.name;
  }
  return nearest;
}

void add_block(Node& document, Node& merged, Findings& findings) {
  Node* block = block_of(document);
  if (!block) return;
  for (Node::Member& member : block->members) {
    if (member.value.is(Kind::null)) member.value = Node::empty(Kind::mapping, member.value.where);
  }
  Node extension = Node::empty(Kind::mapping, block->where);
  extension.set(kBlock, *block);
  Node alone = Node::empty(Kind::mapping, block->where);
  alone.set("x-holdall", std::move(extension));
  validate(alone, findings);
  merge(merged, std::move(alone), findings);
}

/// compose.production.yaml and the other spellings that an override has too.
std::optional<fs::path> file_beside(const Environment& environment, const Sources& sources,
                                    const ReadFile& read) {
  constexpr std::array kSpellings{std::pair("compose", "yaml"), std::pair("compose", "yml"),
                                  std::pair("docker-compose", "yml"), std::pair("docker-compose", "yaml")};
  for (const auto& [stem, suffix] : kSpellings) {
    fs::path file = sources.project_dir / fmt::format("{}.{}.{}", stem, environment.name, suffix);
    if (read(file)) return file;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Environment> read_environments(std::vector<Source>& files, const Sources& sources,
                                           Findings& findings) {
  Node merged = Node::empty(Kind::mapping, {});
  for (Source& file : files) {
    for (Node& document : file.documents) add_block(document, merged, findings);
  }
  std::vector<Environment> environments;
  const Node* block = block_of(merged);
  if (!block) return environments;
  for (const Node::Member& member : block->members)
    environments.push_back(Entry(member, sources, findings).read());
  return environments;
}

Environment choose_environment(const std::vector<Environment>& environments, const LoadOptions& options,
                               const Sources& sources) {
  const std::string file = shown(sources.files.front(), sources.project_dir);
  if (options.environment_name) {
    const std::string& wanted = *options.environment_name;
    auto found = std::ranges::find(environments, wanted, &Environment::name);
    if (found != environments.end()) return *found;
    if (environments.empty()) {
      throw Error(
          Error::invalid,
          fmt::format("there is no environment '{}': {} has none\n  write 'x-holdall: {{environments: "
                      "{{{}: {{host: ssh://user@host}}}}}}' at its top level",
                      wanted, file, wanted));
    }
    std::string near = nearest(environments, wanted);
    throw Error(Error::invalid, fmt::format("there is no environment '{}'; {} has: {}{}", wanted, file,
                                            names_of(environments),
                                            near.empty() ? "" : fmt::format("\n  did you mean '{}'?", near)));
  }
  if (environments.size() == 1) return environments.front();
  if (environments.empty()) return {};
  throw Error(Error::invalid, fmt::format("which environment? {} has: {}\n  name one: --on {}", file,
                                          names_of(environments), environments.front().name));
}

void enter_environment(Environment& environment, const LoadOptions& options, const ReadFile& read,
                       Sources& sources, Findings& findings) {
  const bool named = !environment.name.empty();
  if (options.files.empty() && !environment.files.empty()) {
    sources.files = environment.files;
  } else if (options.files.empty() && named) {
    if (auto beside = file_beside(environment, sources, read)) sources.files.push_back(*beside);
  }
  environment.files = sources.files;

  if (options.env_files.empty() && named) {
    bool required = !environment.env_files.empty();
    if (!required) environment.env_files = {sources.project_dir / (".env." + environment.name)};
    const std::string named_by =
        fmt::format("it is named by x-holdall.environments.{}.env_file", environment.name);
    read_variables(environment.env_files, required ? named_by : "", options, read, sources, findings);
  }
  if (!environment.domain.empty()) sources.variables["HOLDALL_DOMAIN"] = environment.domain;
  sources.variables["HOLDALL_ENV"] = environment.name;
  if (options.profiles.empty() && !environment.profiles.empty()) sources.profiles = environment.profiles;
  environment.sealed_file =
      sources.project_dir / (named ? fmt::format("secrets.{}.sealed", environment.name) : "secrets.sealed");
}

void name_app(Environment& environment, const std::string& name, const LoadOptions& options,
              Findings& findings) {
  if (options.project_name || (environment.app.empty() && environment.name.empty())) {
    environment.app = name;
  } else if (environment.app.empty()) {
    environment.app = environment.name == kProduction ? name : fmt::format("{}-{}", name, environment.name);
  }
  if (!environment.app.empty() && !is_project_name(environment.app))
    findings.refuse({}, fmt::format("'{}' is no name of an app", environment.app));
}

void remove_environments(Node& document, const Sources& sources, Findings& findings) {
  Node* block = block_of(document);
  if (!block) return;
  bool found = std::ranges::any_of(sources.found, [&](const fs::path& file) {
    return shown(file, sources.project_dir) == block->where.file;
  });
  if (!found) {
    findings.refuse(block->where, "x-holdall.environments stands in a file that only an environment names",
                    fmt::format("move it to {}", shown(sources.found.front(), sources.project_dir)));
  }
  Node* extension = document.find("x-holdall");
  extension->erase(kBlock);
  if (extension->members.empty()) document.erase("x-holdall");
}

}  // namespace holdall::app
