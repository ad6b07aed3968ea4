#include "app/load.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "app/canonical.h"
#include "app/environments.h"
#include "app/interpolate.h"
#include "app/merge.h"
#include "app/model.h"
#include "app/node_json.h"
#include "app/normalise.h"
#include "app/procfile.h"
#include "app/secrets.h"
#include "app/yaml.h"
#include "base/files.h"
#include "base/seal.h"

namespace holdall::app {
namespace {

namespace fs = std::filesystem;
using Kind = Node::Kind;

/// Where the nearest thing that somebody wrote stands: the path's own place, or that of what holds it.
Where place_of(std::string path, const std::map<std::string, Where>& places) {
  while (true) {
    if (auto found = places.find(path); found != places.end()) return found->second;
    std::size_t dot = path.rfind('.');
    if (dot == std::string::npos) return {};
    path.erase(dot);
  }
}

std::vector<Node> read_documents(const Sources& sources, bool release, const ReadFile& read,
                                 Findings& findings) {
  std::vector<Node> documents;
  for (const fs::path& file : sources.files) {
    std::string name = shown(file, sources.project_dir);
    auto bytes = read(file);
    if (!bytes) throw Error(Error::missing, fmt::format("there is no file {}", file.string()));
    if (is_procfile(file)) {
      documents.push_back(read_procfile(*bytes, name, release, findings));
      continue;
    }
    int before = findings.misshapen;
    std::vector<Node> found = parse_yaml(*bytes, name, findings);
    std::erase_if(found, [](const Node& node) { return node.is(Kind::null); });
    if (found.empty() && findings.misshapen == before) findings.misshape({name, 0, 0}, "the file is empty");
    for (Node& node : found) {
      if (node.is(Kind::mapping)) {
        documents.push_back(std::move(node));
      } else {
        findings.misshape(node.where,
                          fmt::format("a compose file is a mapping, and this is {}", describe(node.kind)));
      }
    }
  }
  return documents;
}

/// `name:` of the last document that has one, interpolated before the rest so that the rest can use it.
std::string written_name(const std::vector<Node>& documents, const Lookup& variables) {
  std::string name;
  for (const Node& document : documents) {
    const Node* node = document.find("name");
    if (!node || !node->is(Kind::string)) continue;
    Substituted result = substitute(node->text, variables, [](const std::string&) {});
    if (result.error.empty()) name = result.text;
  }
  return name;
}

Lookup lookup_in(const std::map<std::string, std::string>& variables) {
  return [&](const std::string& name) -> std::optional<std::string> {
    auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

std::optional<std::string> read_from_disk(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return std::nullopt;
  return read_file_if_exists(path);
}

/// The project before its services are looked at.
struct Project {
  Sources sources;
  std::vector<Node> documents;
  std::vector<Environment> environments;
  Environment environment;  ///< of a release
  std::string name;
};

Project open_project(const LoadOptions& options, const ReadFile& read, Findings& findings) {
  Project project;
  Sources& sources = project.sources;
  sources = discover(options, read, findings);
  project.documents = read_documents(sources, options.release, read, findings);
  project.environments = read_environments(project.documents, sources, findings);
  if (options.release) {
    project.environment = choose_environment(project.environments, options, sources);
    enter_environment(project.environment, options, read, sources, findings);
    if (sources.files != sources.found)
      project.documents = read_documents(sources, options.release, read, findings);
    for (Node& document : project.documents) remove_environments(document, sources, findings);
  }
  const Lookup variables = lookup_in(sources.variables);
  project.name = project_name(options, sources, written_name(project.documents, variables), findings);
  if (options.release) {
    name_app(project.environment, project.name, options, findings);
    project.name = project.environment.app;
  } else {
    sources.variables.emplace("HOLDALL_DOMAIN", project.name + ".localhost");
    sources.variables.emplace("HOLDALL_ENV", "");
  }
  sources.variables["COMPOSE_PROJECT_NAME"] = project.name;
  return project;
}

/// The one of a release. In development the names in all of them stand for secrets, whose values come from
/// elsewhere.
std::vector<fs::path> sealed_files(const Project& project, bool release) {
  if (release) return {project.environment.sealed_file};
  std::vector<fs::path> files{project.sources.project_dir / "secrets.sealed"};
  for (const Environment& each : project.environments)
    files.push_back(project.sources.project_dir / fmt::format("secrets.{}.sealed", each.name));
  return files;
}

/// The names that stand for secrets in this project. In a release: what is sealed. In development: of that,
/// and of what `secrets` takes from variables, what the caller's variables have.
std::set<std::string> secret_names(const Project& project, const LoadOptions& options, const ReadFile& read,
                                   const Lookup& variables) {
  std::set<std::string> names;
  for (const fs::path& file : sealed_files(project, options.release)) {
    const std::string sealed = read(file).value_or("");
    if (sealed.empty()) continue;
    const std::string filename = shown(file, project.sources.project_dir);
    for (std::string& name : SealedFile::parse(sealed, filename).names()) names.insert(std::move(name));
  }
  if (options.release) return names;
  for (const Node& document : project.documents) {
    const Node* secrets = document.find("secrets");
    if (!secrets) continue;
    for (const Node::Member& secret : secrets->members) {
      const Node* variable = secret.value.find("environment");
      if (!variable || !variable->is(Kind::string)) continue;  // the step that reads the key has a word on it
      names.insert(substitute(variable->text, variables, [](const std::string&) {}).text);
    }
  }
  std::erase_if(names, [&](const std::string& name) { return !variables(name); });
  return names;
}

/// What is to be sealed for the services, from where development has it.
std::map<std::string, Secret> development_secrets(const App& app, const Json& model, const ReadFile& read,
                                                  const Lookup& variables, Findings& findings) {
  std::map<std::string, std::string> files;
  if (const Json* secrets = model.find("secrets")) {
    for (const auto& [name, secret] : secrets->members()) {
      std::string file = secret.string_or("file", "");
      if (!file.empty()) files.emplace(sealed_name_of_file(name), std::move(file));
    }
  }
  std::map<std::string, Secret> values;
  for (const auto& [service, each] : app.services) {
    for (const std::string& name : each.secret_names()) {
      auto file = files.find(name);
      auto value = file == files.end() ? variables(name) : read(file->second);
      if (value) {
        values.insert_or_assign(name, Secret::taken_from(*value));
      } else if (file != files.end()) {
        findings.refuse({}, fmt::format("secrets: there is no file {}", file->second));
      }
    }
  }
  return values;
}

std::string remedy_of_unset(const std::string& name, const Environment& environment) {
  if (environment.name.empty()) {
    return fmt::format(
        "write ${{{}:-default}}, or seal it: holdall secrets seal {}; a release sees neither "
        ".env nor anybody's shell",
        name, name);
  }
  if (name == "HOLDALL_DOMAIN")
    return fmt::format("write 'domain: shop.example.com' in x-holdall.environments.{}", environment.name);
  return fmt::format(
      "write it in .env.{}, or ${{{}:-default}} here, or seal it: holdall secrets seal {} --on {}; a release "
      "sees neither .env nor anybody's shell",
      environment.name, name, name, environment.name);
}

void report_unset(const Unset& unset, bool release, const Environment& environment, Findings& findings) {
  std::vector<std::string> names;
  for (const auto& [name, places] : unset) {
    if (release) {
      for (const Where& place : places) {
        findings.refuse(place, fmt::format("variable {} is not set, and has no default", name),
                        remedy_of_unset(name, environment));
      }
    }
    names.push_back(fmt::format("{} ({})", name, text(places.front())));
  }
  if (!names.empty() && !release) {
    findings.warn({}, fmt::format("not set, so empty: {}", fmt::join(names, ", ")),
                  "set them in .env or in the shell, or give each a default: ${NAME:-default}");
  }
}

void report_faults(const std::vector<Fault>& faults, const std::map<std::string, Where>& places,
                   Findings& findings) {
  for (const Fault& fault : faults) {
    findings.refuse(place_of(fault.path, places), fmt::format("{} {}", fault.path, fault.what), fault.hint);
  }
}

void warn_of_empty_trees(const App& app, const std::map<std::string, Where>& places, Findings& findings) {
  for (const std::string& name : app.service_order) {
    if (!app.services.at(name).context.empty()) continue;
    findings.warn(
        place_of(fmt::format("services.{}.image", name), places),
        fmt::format(
            "services.{} has an image and no build: its command runs from an empty directory, with the "
            "programs of this machine",
            name),
        "write 'build: .' to run it from this directory");
  }
}

/// The values of the variables that are used: those of the project, and those that the caller gave.
void note_values(const Sources& sources, const LoadOptions& options, VariableUse& use) {
  std::set<std::string> names;
  for (const auto& [path, text] : use.templates) names.merge(variables_in(text));
  for (const std::string& name : names) {
    const auto written = sources.written.find(name), any = sources.variables.find(name);
    if (written != sources.written.end()) {
      use.values[name] = written->second;
      use.origins[name] = sources.origins.at(name);
    } else if (any != sources.variables.end() && !options.environment.contains(name)) {
      use.values[name] = any->second;
    }
  }
  for (const auto& [name, place] : use.elsewhere) names.insert(name);
  for (const std::string& name : names) {
    const auto given = options.environment.find(name);
    if (given != options.environment.end()) use.loaded.insert(*given);
  }
}

/// In the order of the files and of their lines; once each.
void put_in_order(std::vector<Problem>& problems, const Sources& sources) {
  std::map<std::string, int> position;
  for (const fs::path& file : sources.files)
    position.emplace(shown(file, sources.project_dir), position.size() + 1);
  std::ranges::sort(problems, [&](const Problem& a, const Problem& b) {
    auto rank = [&](const Where& where) {
      return std::tuple(position[where.file], where.line, where.column);
    };
    return std::tuple(rank(a.where), a.what) < std::tuple(rank(b.where), b.what);
  });
  problems.erase(std::unique(problems.begin(), problems.end()), problems.end());
}

}  // namespace

Loaded load_from(const LoadOptions& options, const ReadFile& read) {
  Findings findings;
  Project project = open_project(options, read, findings);
  const Sources& sources = project.sources;
  const Lookup variables = lookup_in(sources.variables);

  Loaded loaded;
  loaded.project_dir = sources.project_dir;
  loaded.environment = project.environment;
  if (options.release) loaded.sealed = read(project.environment.sealed_file).value_or("");
  std::set<std::string> secrets;
  if (!options.specification_alone) secrets = secret_names(project, options, read, variables);

  Unset unset;
  Node root = Node::empty(Kind::mapping,
                          {sources.files.empty() ? "" : shown(sources.files[0], sources.project_dir), 0, 0});
  for (Node& document : project.documents) {
    if (options.steps.interpolate)
      interpolate(document, variables, secrets, unset, loaded.variables, findings);
    make_canonical(document, findings);
    merge(root, std::move(document), findings);
  }
  check_nulls(root, findings);
  report_unset(unset, options.release, project.environment, findings);
  if (project.environment.builds_here && !options.any_engine) {
    findings.refuse(project.environment.place,
                    fmt::format("x-holdall.environments.{}.build: local is refused: the process engine makes "
                                "its artefacts on the server",
                                project.environment.name),
                    "write 'build: server', or leave it out");
  }
  normalise(root,
            {sources, read, project.name, variables, secrets, options.release, !options.any_engine,
             loaded.variables, &loaded.env_files},
            findings);

  loaded.places = places_of(root);
  Json model = to_json(root, findings);
  // Over a tree with holes in it every further fault might be one of the hole.
  if (findings.misshapen == 0 && !findings.incomplete && options.steps.interpolate) {
    std::vector<Fault> faults;
    loaded.app = read_model(model, faults);
    if (!options.any_engine && faults.empty()) {
      check_process_engine(loaded.app, model, faults);
      warn_of_empty_trees(loaded.app, loaded.places, findings);
      if (!options.release)
        loaded.secrets = development_secrets(loaded.app, model, read, variables, findings);
    }
    report_faults(faults, loaded.places, findings);
  }
  put_in_order(findings.problems, sources);
  put_in_order(findings.warnings, sources);
  throw_if_any(findings.problems, Error::invalid, sources.project_dir);
  loaded.model = options.steps.interpolate ? map_plain_strings(model, escape_dollars) : std::move(model);
  loaded.warnings = std::move(findings.warnings);
  note_values(sources, options, loaded.variables);
  loaded.interpolation = std::move(project.sources.variables);
  return loaded;
}

Loaded load(const LoadOptions& options) { return load_from(options, read_from_disk); }

Environment identify(const LoadOptions& options) {
  Findings findings;
  Project project = open_project(options, read_from_disk, findings);
  throw_if_any(findings.problems, Error::invalid, project.sources.project_dir);
  return project.environment;
}

App parse_model(const Json& model) {
  std::vector<Fault> faults;
  Json plain = map_plain_strings(model, unescape_dollars);
  App app = read_model(plain, faults);
  if (faults.empty()) check_process_engine(app, plain, faults);
  std::vector<Problem> problems;
  for (const Fault& fault : faults) problems.push_back({{}, fault.path + " " + fault.what, fault.hint});
  throw_if_any(problems);
  return app;
}

}  // namespace holdall::app
