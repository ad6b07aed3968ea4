#include "cli/problems.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>

#include "base/files.h"
#include "cli/source_line.h"

namespace holdall::cli {
namespace {

namespace fs = std::filesystem;

// No compose file is larger, and one that is need not be read again to be complained about.
constexpr std::size_t kLargestFile = std::size_t{4} << 20;

/// The lines of the files that problems are in.
class Files {
 public:
  explicit Files(const fs::path& directory) : directory_(directory) {}

  std::optional<std::string> line(const Where& where) {
    if (where.line < 1 || where.column < 1 || !may_be_shown(where.file)) return std::nullopt;
    auto [file, fresh] = texts_.try_emplace(where.file);
    if (fresh) file->second = read(directory_ / where.file);
    std::string_view rest = file->second;
    for (int line = 1; line < where.line && !rest.empty(); ++line) {
      const std::size_t end = rest.find('\n');
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    const std::string_view found = rest.substr(0, rest.find('\n'));
    if (found.find_first_not_of(" \r") == std::string_view::npos) return std::nullopt;
    return std::string(found);
  }

 private:
  static bool may_be_shown(const fs::path& file) {
    return file.extension() == ".yaml" || file.extension() == ".yml";
  }

  static std::string read(const fs::path& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return "";
    try {
      return read_file(path, kLargestFile);
    } catch (const Error&) {
      return "";
    }
  }

  fs::path directory_;
  std::map<std::string, std::string> texts_;
};

std::string excerpt(const std::string& line, const Where& where, const Terminal& out) {
  const SourceLine shown = source_line(line, where.column);
  const std::string number = std::to_string(where.line);
  const std::string margin(number.size(), ' ');
  return fmt::format("\n  {} {}\n  {} {}{}", out.paint(Colour::dim, number + " |"), shown.text,
                     out.paint(Colour::dim, margin + " |"), std::string(shown.at, ' '),
                     out.paint(Colour::red, std::string(shown.width, '^')));
}

void print(const Terminal& out, std::span<const Problem> problems, const fs::path& directory,
           const std::string& label) {
  Files files(directory);
  for (const Problem& problem : problems) {
    const std::string place = without_controls(text(problem.where));
    std::string said = label;
    if (!place.empty()) said += out.paint(Colour::bold, place) + ": ";
    said += without_controls(problem.what);
    if (auto line = files.line(problem.where)) said += excerpt(*line, problem.where, out);
    if (!problem.hint.empty()) said += "\n  " + without_controls(problem.hint);
    out.line(said);
  }
}

}  // namespace

void print_errors(const Terminal& out, std::span<const Problem> problems, const fs::path& directory) {
  print(out, problems, directory, out.paint(Colour::red, "error: "));
}

void print_warnings(const Terminal& out, std::span<const Problem> problems, const fs::path& directory) {
  print(out, problems, directory, out.paint(Colour::yellow, "warning: "));
}

Json to_json(const Problem& problem) {
  Json json = Json::object();
  if (!problem.where.file.empty()) json["file"] = problem.where.file;
  if (problem.where.line) json["line"] = problem.where.line;
  if (problem.where.column) json["column"] = problem.where.column;
  json["message"] = problem.what;
  if (!problem.hint.empty()) json["hint"] = problem.hint;
  return json;
}

Json to_json(std::span<const Problem> problems) {
  Json all = Json::array();
  for (const Problem& problem : problems) all.add(to_json(problem));
  return all;
}

}  // namespace holdall::cli
