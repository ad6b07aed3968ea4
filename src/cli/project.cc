#include "cli/project.h"

#include <fmt/format.h>

#include <array>
#include <deque>
#include <set>

#include "base/error.h"
#include "base/seal.h"
#include "base/subprocess.h"
#include "cli/app_name.h"
#include "cli/problems.h"
#include "cli/settings.h"

namespace holdall::cli {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// git answers in milliseconds; on a network disk it may not, and the commit is only a remark.
constexpr auto kGitTimeout = 5s;

// Where a project begins, in the order of the specification.
constexpr std::array kFileNames{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"};

app::LoadOptions load_options(const Globals& globals, bool release) {
  app::LoadOptions options;
  options.working_dir = fs::current_path();
  for (const std::string& file : globals.files) options.files.emplace_back(file);
  for (const std::string& file : globals.env_files) options.env_files.emplace_back(file);
  if (globals.project_dir) options.project_dir = *globals.project_dir;
  options.project_name = globals.project_name;
  options.profiles = globals.profiles;
  options.release = release;
  options.environment_name = globals.environment;
  if (!release) options.environment = environment();
  return options;
}

std::optional<std::string> git(const fs::path& directory, std::vector<std::string> words) {
  holdall::Command command;
  command.argv = {"git", "-C", directory.string()};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.environment = environment();
  try {
    Output output = holdall::run(command, Deadline::after(kGitTimeout));
    if (output.timed_out || !output.exit.ok()) return std::nullopt;
    return output.out;
  } catch (const Error&) {
    return std::nullopt;  // there is no git
  }
}

wire::PackedTree pack(const app::Service& service) {
  std::vector<std::string> paths;
  // A service with an image alone runs from an empty tree.
  if (!service.context.empty()) {
    for (const app::ContextFile& file : app::list_context(service.context)) paths.push_back(file.path);
  }
  try {
    return wire::pack_tree(service.context.empty() ? fs::path("/") : service.context, paths);
  } catch (const Error& error) {
    throw error.during("packing service " + service.name);
  }
}

std::string target_of(const Digest& digest, const app::Service& service, const std::string& app) {
  Json::Array argv(service.build.begin(), service.build.end());
  return fmt::format("/v1/sources/{}?app={}&build={}", digest.value, wire::percent_encode(app),
                     wire::percent_encode(Json::array(argv).print()));
}

app::Loaded load_warning(const app::LoadOptions& options, const Terminal& errors) {
  app::Loaded project = app::load(options);
  if (options.release) throw_if_any(ignored_env_files(project), Error::invalid, project.project_dir);
  print_warnings(errors, project.warnings, project.project_dir);
  return project;
}

}  // namespace

app::Loaded load_project(const Globals& globals, bool release, const Terminal& errors) {
  return load_warning(load_options(globals, release), errors);
}

app::Loaded load_release(const Globals& globals, Server& server, const Terminal& errors) {
  app::LoadOptions options = load_options(globals, true);
  std::optional<Json> answer;
  try {
    answer = server.find(fmt::format("/v1/apps/{}/env", wire::percent_encode(app_name(globals))));
  } catch (const Error&) {
    load_warning(options, errors);  // what is wrong with the file is said first
    throw;
  }
  if (answer) {
    for (const Json& one : answer->at("set").items())
      options.environment[one.at("name").string()] = one.at("value").string();
  }
  return load_warning(options, errors);
}

app::Loaded load_model(const Globals& globals, bool release, const app::Steps& steps,
                       const Terminal& errors) {
  app::LoadOptions options = load_options(globals, release);
  options.steps = steps;
  app::Loaded project = app::read_project(options);
  print_warnings(errors, project.warnings, project.project_dir);
  return project;
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{} KB", bytes / 1'000);
  return fmt::format("{} MB", bytes / 1'000'000);
}

app::Examined examine_project(const Globals& globals) {
  return app::examine(load_options(globals, globals.environment.has_value()));
}

Json paths_as_written(const Globals& globals) {
  app::LoadOptions options = load_options(globals, true);
  options.steps.resolve_paths = false;
  return app::examine(options).project.model;
}

bool git_ignores(const fs::path& directory, const fs::path& file) {
  auto ignored = git(directory, {"check-ignore", "--", file.string()});
  return ignored && !ignored->empty();
}

/// What is not in the repository is the caller's alone, and everybody else would release something else.
std::vector<Problem> ignored_env_files(const app::Loaded& project) {
  std::vector<Problem> problems;
  for (const auto& [file, where] : project.env_files) {
    if (!git_ignores(project.project_dir, file)) continue;
    const fs::path shown = file.lexically_proximate(project.project_dir);
    const std::string& on = project.environment.name;
    problems.push_back({where,
                        fmt::format("env_file {} is refused in a release: git ignores it", shown.string()),
                        fmt::format("seal what is in it: holdall secrets import {}{}{}; or commit it",
                                    shown.string(), on.empty() ? "" : " --on ", on)});
  }
  return problems;
}

app::Environment identify_project(const Globals& globals) {
  return app::identify(load_options(globals, true));
}

fs::path project_directory(const Globals& globals) {
  if (globals.project_dir) return fs::absolute(*globals.project_dir);
  if (!globals.files.empty()) return fs::absolute(globals.files.front()).parent_path();
  for (fs::path directory = fs::current_path();; directory = directory.parent_path()) {
    for (const char* name : kFileNames) {
      if (fs::exists(directory / name)) return directory;
    }
    if (directory == directory.parent_path()) throw Error(Error::missing, "no compose.yaml here or above");
  }
}

void narrow(app::Loaded& project, const std::vector<std::string>& services) {
  if (services.empty()) return;
  Json& all = project.model["services"];
  std::set<std::string> kept;
  std::deque<std::string> open(services.begin(), services.end());
  for (; !open.empty(); open.pop_front()) {
    const Json* service = all.find(open.front());
    if (!service) {
      std::vector<std::string_view> there;
      if (all.is_object()) {
        for (const auto& [name, each] : all.members()) there.push_back(name);
      }
      throw Error(Error::missing,
                  fmt::format("no such service: {}; there is: {}", open.front(), fmt::join(there, ", ")));
    }
    if (!kept.insert(open.front()).second) continue;
    const Json* dependencies = service->find("depends_on");
    if (!dependencies) continue;
    for (const auto& [name, dependency] : dependencies->members()) {
      if (all.find(name)) open.push_back(name);
    }
  }
  std::erase_if(all.members(), [&](const Json::Member& member) { return !kept.contains(member.first); });
  std::erase_if(project.app.services, [&](const auto& service) { return !kept.contains(service.first); });
  std::erase_if(project.app.service_order, [&](const std::string& name) { return !kept.contains(name); });
}

std::string git_commit(const fs::path& directory) {
  auto commit = git(directory, {"rev-parse", "--short", "HEAD"});
  if (!commit) return "";
  while (!commit->empty() && commit->back() == '\n') commit->pop_back();
  auto changes = git(directory, {"status", "--porcelain", "--", "."});
  return *commit + (changes && !changes->empty() ? "-dirty" : "");
}

std::map<std::string, std::string> send_artefacts(Server& server, const app::App& app,
                                                  const Terminal& progress) {
  std::map<std::string, std::string> artefacts;
  for (const std::string& name : app.service_order) {
    const app::Service& service = app.services.at(name);
    wire::PackedTree tree = pack(service);
    std::string target = target_of(tree.digest, service, app.name);
    std::optional<Json> answer = server.find(target);
    if (!answer) {
      const std::string size = fmt::format("{}   {} file{}, {}", name, tree.files, tree.files == 1 ? "" : "s",
                                           bytes_text(tree.bytes));
      progress.transient(fmt::format("  {:<10}{}", "send", size));
      answer = server.put_file(target, tree.file.get());
      progress.line(fmt::format("  {:<10}{}", "sent", size));
    }
    artefacts[name] = answer->at("artefact").string();
  }
  return artefacts;
}

void seal_for_development(app::Loaded& project, Server& server) {
  project.sealed.clear();
  if (project.secrets.empty()) return;
  const std::string path = fmt::format("/v1/apps/{}/keys", wire::percent_encode(project.app.name));
  const Json answer = server.post(path, Json::object());
  SealedFile file("the caller's variables");
  file.set_recipient({"server", PublicKey::parse(answer.at("public_key").string())});
  for (const auto& [name, value] : project.secrets) file.seal({project.app.name}, name, value);
  project.sealed = file.print();
}

wire::DeployRequest deploy_request(const app::Loaded& project, std::map<std::string, std::string> artefacts) {
  wire::DeployRequest request{
      .model = project.model, .artefacts = std::move(artefacts), .sealed = project.sealed};
  for (const auto& [key, where] : project.places) {
    // People know the file by its name in the project.
    Where shown = where;
    shown.file = fs::path(where.file).lexically_proximate(project.project_dir);
    request.places.emplace(key, text(Where{shown.file, shown.line, 0}));
  }
  request.commit = git_commit(project.project_dir);
  request.environment = project.environment.name;
  request.variables = app::to_json(project.variables);
  return request;
}

}  // namespace holdall::cli
