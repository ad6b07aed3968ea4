#include "app/load.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "app/consistency.h"
#include "app/documents.h"
#include "app/environments.h"
#include "app/interpolate.h"
#include "app/mistakes.h"
#include "app/model.h"
#include "app/node_json.h"
#include "app/normalise.h"
#include "app/printed.h"
#include "app/reports.h"
#include "app/schema.h"
#include "app/secrets.h"
#include "app/service_files.h"
#include "app/support.h"
#include "base/files.h"
#include "base/seal.h"

namespace holdall::app {
namespace {

namespace fs = std::filesystem;
using Kind = Node::Kind;

std::vector<Source> read_sources(const Sources& sources, bool release, const ReadFile& read,
                                 Findings& findings) {
  std::vector<Source> all;
  for (const fs::path& file : sources.files)
    all.push_back(read_source(file, sources.project_dir, release, read, findings));
  const bool empty = std::ranges::all_of(all, [](const Source& source) { return source.documents.empty(); });
  if (empty && findings.problems.empty())
    findings.misshape({shown(sources.files.front(), sources.project_dir), 0, 0}, "the file is empty");
  return all;
}

/// `name:` of the last document that has one, interpolated before the rest so that the rest can use it.
std::optional<std::string> written_name(const std::vector<Source>& files, const Lookup& variables,
                                        bool interpolate) {
  std::optional<std::string> name;
  for (const Source& file : files) {
    for (const Node& document : file.documents) {
      const Node* node = document.find("name");
      if (!node || !node->is(Kind::string) || node->text.empty()) continue;
      Substituted result = substitute(node->text, variables, [](const std::string&) {});
      if (!interpolate) result = {node->text, ""};
      if (result.error.empty()) name = result.text;
    }
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
  std::vector<Source> files;
  std::vector<Environment> environments;
  Environment environment;  ///< of a release
  std::string name;
};

Project open_project(const LoadOptions& options, const ReadFile& read, Findings& findings) {
  Project project;
  Sources& sources = project.sources;
  sources = discover(options, read, findings);
  project.files = read_sources(sources, options.release, read, findings);
  project.environments = read_environments(project.files, sources, findings);
  if (options.release) {
    project.environment = choose_environment(project.environments, options, sources);
    enter_environment(project.environment, options, read, sources, findings);
    if (sources.files != sources.found)
      project.files = read_sources(sources, options.release, read, findings);
    for (Source& file : project.files) {
      for (Node& document : file.documents) remove_environments(document, sources, findings);
    }
  }
  const Lookup variables = lookup_in(sources.variables);
  project.name = project_name(options, sources,
                              written_name(project.files, variables, options.steps.interpolate), findings);
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

/// What `secrets` of a document takes from variables.
void note_secrets(const Node& document, const Lookup& variables, std::set<std::string>& names) {
  const Node* secrets = document.find("secrets");
  if (!secrets) return;
  for (const Node::Member& secret : secrets->members) {
    const Node* variable = secret.value.find("environment");
    if (!variable || !variable->is(Kind::string)) continue;  // the schema has a word on that
    names.insert(substitute(variable->text, variables, [](const std::string&) {}).text);
  }
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
  for (const Source& file : project.files) {
    for (const Node& document : file.documents) note_secrets(document, variables, names);
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

/// A secret has a value, wherever it comes from.
void check_secrets(const Node& root, const std::set<std::string>& names, bool release, Findings& findings) {
  const Node* secrets = root.find("secrets");
  if (!secrets) return;
  for (const Node::Member& member : secrets->members) {
    const std::string path = "secrets." + member.key;
    const Node *file = member.value.find("file"), *variable = member.value.find("environment");
    if (file && release) {
      findings.refuse(file->where,
                      fmt::format("{}.file: a file of this machine is no part of a release", path),
                      "write 'environment: NAME' and seal it: holdall secrets seal NAME < FILE");
    }
    if (variable && !names.contains(variable->text)) {
      findings.refuse(
          variable->where,
          fmt::format("{}.environment: {} is not {}", path, variable->text, release ? "sealed" : "set"),
          release ? fmt::format("holdall secrets seal {}", variable->text)
                  : "set it in .env or in the shell");
    }
  }
}

/// Where variables are left as they are, Compose prints a list of nothing as null, unless its entries are
/// told apart.
void leave_empty_lists_out(Node& node, const Schema* at) {
  const Shape* shape = at ? at->shape : nullptr;
  const bool told_apart = shape && shape->rules.same != Same::no && shape->as != As::variables;
  if (node.is(Kind::sequence) && node.items.empty() && !told_apart) node.kind = Kind::null;
  for (Node& item : node.items) leave_empty_lists_out(item, at ? at->any : nullptr);
  for (Node::Member& member : node.members)
    leave_empty_lists_out(member.value, at ? at->below(member.key) : nullptr);
}

/// The reader from the files to the model, step by step in the specification's order.
class Reading {
 public:
  Reading(const LoadOptions& options, const ReadFile& read)
      : options_(options),
        read_(read),
        project_(open_project(options, read, findings_)),
        known_(options.steps.interpolate
                   ? project_.sources.variables
                   : std::map<std::string, std::string>{{"COMPOSE_PROJECT_NAME", project_.name}}),
        variables_(lookup_in(known_)) {
    loaded_.project_dir = sources().project_dir;
    loaded_.environment = project_.environment;
    if (options.release) loaded_.sealed = read(project_.environment.sealed_file).value_or("");
    if (!options.specification_alone) secrets_ = secret_names(project_, options, read, variables_);
    merge_files();
    if (options.steps.interpolate) {
      print();
    } else {
      root_ = merged_;
      if (options.steps.normalise) complete();
      leave_empty_lists_out(root_, &schema());
    }
  }

  Loaded as_specified() {
    report_unset();
    Json model = to_json(root_, findings_);
    if (!options_.steps.interpolate) return finish(std::move(model));
    note_mistakes(model, options_.release ? Occasion::release : Occasion::always);
    return finish(map_plain_strings(model, escape_dollars));
  }

  /// For the process engine.
  Loaded for_engine() {
    report_unset();
    Json model = to_json(root_, findings_);
    ask_engine(model, key_uses(merged_, inactive_), findings_);
    note_mistakes(model, options_.release ? Occasion::release : Occasion::always);
    return finish(map_plain_strings(model, escape_dollars));
  }

  Examined examined() {
    if (!options_.release) report_unset();
    Json model = to_json(root_, findings_);
    Examined result;
    result.keys = key_uses(merged_, inactive_);
    if (options_.release) result.unset = unset_;
    note_mistakes(model, Occasion::check);
    Findings refused;
    ask_engine(model, result.keys, refused);
    put_in_order(refused.problems, sources());
    result.refused = std::move(refused.problems);
    // What is refused need not be warned of.
    std::erase_if(findings_.warnings, [&](const Problem& warning) {
      return std::ranges::count(result.refused, warning.where, &Problem::where) > 0;
    });
    result.project = finish(map_plain_strings(model, escape_dollars));
    return result;
  }

 private:
  const Sources& sources() const { return project_.sources; }

  void merge_files() {
    const auto home = options_.environment.find("HOME");
    const std::string from = home == options_.environment.end() ? "" : home->second;
    const DocumentOptions options{.read = read_,
                                  .project_dir = sources().project_dir,
                                  .home = from,
                                  .secrets = secrets_,
                                  .interpolate = options_.steps.interpolate,
                                  .resolve_paths = options_.steps.resolve_paths,
                                  .release = options_.release,
                                  .unset = unset_,
                                  .use = loaded_.variables};
    merged_ = merge_documents(std::move(project_.files), sources().project_dir, known_, options, findings_);
    if (merged_.members.empty() && findings_.problems.empty())
      findings_.misshape({shown(sources().files.front(), sources().project_dir), 0, 0}, "the file is empty");
  }

  void report_unset() { app::report_unset(unset_, options_.release, project_.environment, findings_); }

  static void note_uses(const std::vector<KeyUse>& uses, Findings& to) {
    for (const KeyUse& use : uses) {
      if (use.support == Support::refused)
        to.refuse(use.where, fmt::format("{} is refused: {}", use.path, use.note), use.remedy);
      if (use.support == Support::different && use.note.starts_with("without effect"))
        to.warn(use.where, fmt::format("{} is {}", use.path, use.note));
    }
  }

  /// What the process engine refuses: keys, values, and what holds no key.
  void ask_engine(const Json& model, const std::vector<KeyUse>& uses, Findings& to) {
    const bool sound = findings_.problems.empty();
    note_uses(uses, to);
    check_secrets(root_, secrets_, options_.release, to);
    refuse_builds_here(to);
    // Over a tree with holes in it every further fault might be one of the hole.
    if (!sound) return;
    std::vector<Fault> faults;
    loaded_.app = read_model(model, faults);
    if (faults.empty()) check_process_engine(loaded_.app, model, faults);
    report_faults(faults, loaded_.places, to);
    if (!to.problems.empty()) return;
    warn_of_empty_trees(loaded_.app, loaded_.places, to);
    if (!options_.release) loaded_.secrets = development_secrets(loaded_.app, model, read_, variables_, to);
  }

  /// Those worth a line at this occasion: at a release those of all occasions but `check` alone.
  void note_mistakes(const Json& model, Occasion now) {
    if (!findings_.problems.empty()) return;
    auto place = [&](const std::string& path) { return place_of(path, loaded_.places); };
    for (Mistake& mistake : mistakes(model, loaded_.variables, place)) {
      if (mistake.occasion <= now) findings_.warnings.push_back(std::move(mistake.problem));
    }
  }

  void complete() {
    normalise(root_, {project_.name, variables_, secrets_, options_.release, loaded_.variables}, findings_);
  }

  void print() {
    root_ = merged_;
    if (options_.steps.normalise) {
      complete();
    } else {
      root_.set("name", Node::string(project_.name, root_.where));
    }
    root_ = as_printed(root_, findings_);
    inactive_ = remove_inactive(root_, sources().profiles);
    if (options_.steps.check_consistency) check_consistency(root_, inactive_, findings_);
    if (options_.steps.resolve_env)
      read_service_files(
          root_, {read_, sources().project_dir, variables_, secrets_, loaded_.variables, loaded_.env_files},
          findings_);
    if (!root_.find("services")) root_.set("services", Node::empty(Kind::mapping, root_.where));
    loaded_.places = places_of(root_);
    remove_unused(root_);
  }

  void refuse_builds_here(Findings& to) {
    if (!project_.environment.builds_here) return;
    to.refuse(project_.environment.place,
              fmt::format("x-holdall.environments.{}.build: local is refused: the process engine makes "
                          "its artefacts on the server",
                          project_.environment.name),
              "write 'build: server', or leave it out");
  }

  Loaded finish(Json model) {
    put_in_order(findings_.problems, sources());
    put_in_order(findings_.warnings, sources());
    throw_if_any(findings_.problems, Error::invalid, sources().project_dir);
    loaded_.model = std::move(model);
    loaded_.warnings = std::move(findings_.warnings);
    note_values(sources(), options_, loaded_.variables);
    loaded_.interpolation = std::move(project_.sources.variables);
    return std::move(loaded_);
  }

  const LoadOptions& options_;
  const ReadFile& read_;
  Findings findings_;
  Project project_;
  std::map<std::string, std::string>
      known_;  ///< the variables; without interpolation the project's name alone
  Lookup variables_;
  std::set<std::string> secrets_;
  Unset unset_;
  Node merged_;  ///< what is written, in long form
  Node root_;    ///< the model
  std::set<std::string> inactive_;
  Loaded loaded_;
};

}  // namespace

Loaded load_from(const LoadOptions& options, const ReadFile& read) {
  return Reading(options, read).for_engine();
}

Loaded read_from(const LoadOptions& options, const ReadFile& read) {
  return Reading(options, read).as_specified();
}

Examined examine(const LoadOptions& options) { return Reading(options, read_from_disk).examined(); }

Loaded read_project(const LoadOptions& options) { return read_from(options, read_from_disk); }

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
