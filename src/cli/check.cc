#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/options.h"
#include "cli/problems.h"
#include "cli/project.h"
#include "cli/terminal.h"
#include "cli/travels.h"

namespace holdall::cli {
namespace {

using app::Support;

/// The answer, as it is printed.
struct Answer {
  app::Examined examined;
  std::vector<Travelling> travelling;  ///< of a release

  std::size_t count(Support support) const {
    return static_cast<std::size_t>(std::ranges::count(examined.keys, support, &app::KeyUse::support));
  }
  bool is_refused() const { return !examined.refused.empty() || !examined.unset.empty(); }
};

std::string_view name_of(Support support) {
  switch (support) {
    case Support::honoured: return "honoured";
    case Support::different: return "different";
    case Support::refused: return "refused";
  }
  return "";
}

std::string_view name_of(Travel how) {
  switch (how) {
    case Travel::artefact: return "artefact";
    case Travel::left_out: return "left_out";
    case Travel::read_only: return "read_only";
    case Travel::directory: return "directory";
    case Travel::volume: return "volume";
    case Travel::server: return "server";
    case Travel::env_file: return "env_file";
    case Travel::ignored: return "ignored";
  }
  return "";
}

/// What becomes of it in a release. The process engine refuses mounts, each of which has another way out.
std::string explain(const Travelling& one) {
  switch (one.how) {
    case Travel::artefact:
      return fmt::format("{} files, {}: what {} runs from", one.files, bytes_text(one.bytes), one.service);
    case Travel::left_out:
      return "a mount over the build context, for development: move it to compose.override.yaml, the "
             "artefact has its files";
    case Travel::read_only:
      return "files of the repository: put them under build.context, and they travel with it";
    case Travel::directory:
      return "absent here or ignored by git, so a directory of the server: name one in environment";
    case Travel::volume: return "a volume of the server: name a directory of it in environment";
    case Travel::server: return "a path of the server: name it in environment";
    case Travel::env_file: return "its variables travel inside the model";
    case Travel::ignored: return "refused: git ignores it";
  }
  return "";
}

std::string line_of(const Where& where) { return text(Where{where.file, where.line, 0}); }

void print_table(const Table& table) {
  std::fputs(table.text().c_str(), stdout);
  std::fflush(stdout);
}

/// The keys by what is to be said of them, in the order of the file.
void print_keys(const app::Examined& examined, Support support) {
  std::vector<std::string_view> notes;
  for (const app::KeyUse& key : examined.keys) {
    if (key.support == support && !std::ranges::count(notes, key.note)) notes.push_back(key.note);
  }
  if (notes.empty()) return;
  std::size_t width = 0;
  for (const app::KeyUse& key : examined.keys) width = std::max(width, line_of(key.where).size());
  std::string text = fmt::format("{}\n", name_of(support));
  for (std::string_view note : notes) {
    if (!note.empty()) text += fmt::format("  {}\n", note);
    for (const app::KeyUse& key : examined.keys) {
      if (key.support == support && key.note == note)
        text += fmt::format("    {:<{}}  {}\n", line_of(key.where), width, key.path);
    }
  }
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void print_unset(const Terminal& out, const app::Examined& examined) {
  if (examined.unset.empty()) return;
  Table table({"not set, and without a default", ""});
  for (const auto& [name, places] : examined.unset) {
    std::vector<std::string> lines;
    for (const Where& place : places) lines.push_back(line_of(place));
    table.row({"  " + name, fmt::format("{}", fmt::join(lines, ", "))});
  }
  print_table(table);
  const std::string& on = examined.project.environment.name;
  const std::string flag = on.empty() ? "" : " --on " + on;
  out.line(fmt::format(
      "  a release sees neither .env nor anybody's shell: write {}, give a default (${{NAME:-default}}), "
      "seal it (holdall secrets seal NAME{}), or set it on the server (holdall env set{})",
      on.empty() ? "it in the file" : "it in .env." + on, flag, flag));
}

void print_travelling(const Answer& answer) {
  if (answer.travelling.empty()) return;
  const std::string& on = answer.examined.project.environment.name;
  Table table({on.empty() ? "travels" : "travels to " + on, "", ""});
  for (const Travelling& one : answer.travelling)
    table.row({"  " + line_of(one.where), one.what, explain(one)});
  print_table(table);
}

std::string counts(const Answer& answer) {
  const std::size_t honoured = answer.count(Support::honoured);
  return fmt::format("{} key{} honoured, {} different, {} refused", honoured, honoured == 1 ? "" : "s",
                     answer.count(Support::different), answer.examined.refused.size());
}

void print(const Terminal& out, const Answer& answer, bool verbose) {
  const app::Examined& examined = answer.examined;
  print_errors(out, examined.refused, examined.project.project_dir);
  print_warnings(out, examined.project.warnings, examined.project.project_dir);
  if (verbose) print_keys(examined, Support::honoured);
  print_keys(examined, Support::different);
  print_unset(out, examined);
  print_travelling(answer);
  out.line(counts(answer));
}

Json place_json(const Where& where) {
  return Json::object({{"file", where.file}, {"line", where.line}, {"column", where.column}});
}

Json json_of(const Answer& answer) {
  const app::Examined& examined = answer.examined;
  Json keys = Json::array(), unset = Json::array(), travels = Json::array();
  for (const app::KeyUse& key : examined.keys) {
    Json one = place_json(key.where);
    one["key"] = key.path;
    one["support"] = name_of(key.support);
    if (!key.note.empty()) one["note"] = key.note;
    if (!key.remedy.empty()) one["remedy"] = key.remedy;
    keys.add(std::move(one));
  }
  for (const auto& [name, places] : examined.unset) {
    Json all = Json::array();
    for (const Where& place : places) all.add(place_json(place));
    unset.add(Json::object({{"name", name}, {"places", all}}));
  }
  for (const Travelling& one : answer.travelling) {
    Json each = place_json(one.where);
    each["what"] = one.what;
    each["how"] = name_of(one.how);
    if (!one.service.empty()) each["service"] = one.service;
    if (one.how == Travel::artefact) {
      each["files"] = one.files;
      each["bytes"] = one.bytes;
    }
    travels.add(std::move(each));
  }
  return Json::object({{"app", examined.project.model.string_or("name", "")},
                       {"engine", "process"},
                       {"environment", examined.project.environment.name},
                       {"honoured", answer.count(Support::honoured)},
                       {"different", answer.count(Support::different)},
                       {"refused", examined.refused.size()},
                       {"keys", keys},
                       {"refusals", to_json(examined.refused)},
                       {"warnings", to_json(examined.project.warnings)},
                       {"unset", unset},
                       {"travels", travels},
                       {"problems", Json::array()}});
}

/// What asks for an engine that this version does not have.
void refuse_docker(const std::optional<std::string>& image) {
  const char* const remedy =
      "is not in this version of holdall; `holdall check` without it is about the process engine";
  if (image) throw Error(Error::invalid, fmt::format("--image is for the Docker engine, which {}", remedy));
  const char* engine = std::getenv("HOLDALL_ENGINE");
  if (engine && *engine && std::string_view(engine) != "process")
    throw Error(Error::invalid, fmt::format("HOLDALL_ENGINE is '{}': that engine {}", engine, remedy));
}

/// What a release would carry; an env_file that git ignores is refused.
void hold_against_git(const Globals& globals, Answer& answer) {
  const app::Loaded& project = answer.examined.project;
  answer.travelling = travelling(project, paths_as_written(globals), [&](const std::filesystem::path& file) {
    return git_ignores(project.project_dir, file);
  });
  for (Problem& problem : ignored_env_files(project)) answer.examined.refused.push_back(std::move(problem));
}

}  // namespace

int check(Invocation& call) {
  bool json = false, verbose = false;
  std::optional<std::string> image;
  Options options(call, "  holdall check\n  holdall check --on production\n  holdall check --verbose");
  options.flag("--json", json, "print a JSON object");
  options.flag("-v,--verbose", verbose, "list the honoured keys too");
  options.value("--image", image, "REF", "of this image, with the Docker engine: not in this version");
  if (!options.parse()) return 0;
  refuse_docker(image);
  const Terminal out(1, call.globals.ansi);
  Answer answer;
  try {
    answer.examined = examine_project(call.globals);
  } catch (const Problems& problems) {
    if (!json) throw;
    std::fputs(Json::object({{"problems", to_json(problems.all())}}).pretty().c_str(), stdout);
    return exit_code(problems.kind());
  }
  if (call.globals.environment) hold_against_git(call.globals, answer);
  if (json) {
    std::fputs(json_of(answer).pretty().c_str(), stdout);
  } else {
    print(out, answer, verbose);
  }
  return answer.is_refused() ? exit_code(Error::failed) : 0;
}

}  // namespace holdall::cli
