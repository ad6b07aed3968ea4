#include "app/discover.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "app/dotenv.h"

namespace holdall::app {
namespace {

namespace fs = std::filesystem;

constexpr std::array kNames = {"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"};
constexpr std::array kInstead = {"Procfile"};  // where there is no compose file
constexpr std::array kOverrides = {"compose.override.yml", "compose.override.yaml",
                                   "docker-compose.override.yml", "docker-compose.override.yaml"};

fs::path absolute(const fs::path& path, const fs::path& base) { return (base / path).lexically_normal(); }

/// The directory of `path` itself, without a slash at its end.
fs::path directory(const fs::path& path) {
  fs::path normal = path.lexically_normal();
  return normal.has_filename() || normal == normal.root_path() ? normal : normal.parent_path();
}

std::vector<fs::path> present(const fs::path& directory, const auto& names, const ReadFile& read) {
  std::vector<fs::path> found;
  for (const char* name : names) {
    if (read(directory / name)) found.push_back(directory / name);
  }
  return found;
}

/// The nearest directory, from `start` upwards, with a file of one of these names.
std::optional<fs::path> find_project(const fs::path& start, const auto& names, const ReadFile& read) {
  for (fs::path at = directory(start);; at = at.parent_path()) {
    if (!present(at, names, read).empty()) return at;
    if (at == at.parent_path()) return std::nullopt;
  }
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// The files that were found rather than named, with the override that goes with them.
void use_found(const LoadOptions& options, const ReadFile& read, Sources& sources, Findings& findings) {
  std::vector<fs::path> names = present(sources.project_dir, kNames, read);
  if (names.empty()) names = present(sources.project_dir, kInstead, read);
  if (names.empty()) {
    throw Error(Error::missing,
                fmt::format("no compose file: none of {} is in {} or above it; write one, or name it with -f",
                            fmt::join(kNames, ", "), options.working_dir.string()));
  }
  sources.files = {names.front()};
  std::string first = shown(names.front(), sources.project_dir);
  if (names.size() > 1) {
    findings.warn({first, 0, 0},
                  fmt::format("is read, and {} beside it is not", names[1].filename().string()),
                  "remove one of them, or name the right one with -f");
  }
  if (options.release) return;
  std::vector<fs::path> overrides = present(sources.project_dir, kOverrides, read);
  if (!overrides.empty()) sources.files.push_back(overrides.front());
}

std::string normalise(std::string_view text) {
  std::string name;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || ((c == '-' || c == '_') && !name.empty());
    if (kept) name += c;
  }
  return name;
}

bool is_true(const std::string& text) {
  constexpr std::array kTrue{"1", "t", "T", "true", "True", "TRUE"};
  return std::ranges::find(kTrue, text) != kTrue.end();
}

std::string variable(const LoadOptions& options, const std::string& name) {
  auto found = options.environment.find(name);
  return options.release || found == options.environment.end() ? "" : found->second;
}

/// The files of --env-file or COMPOSE_ENV_FILES, else the `.env` of the project's directory and, over it,
/// that of the directory where the search for the project began.
void read_env_files(const LoadOptions& options, const fs::path& start, const ReadFile& read, Sources& sources,
                    Findings& findings) {
  std::vector<fs::path> files = options.env_files;
  for (const std::string& file : split(variable(options, "COMPOSE_ENV_FILES"), ',')) {
    if (options.env_files.empty()) files.emplace_back(file);
  }
  for (fs::path& file : files) file = absolute(file, options.working_dir);
  if (!files.empty()) {
    read_variables(files, "it is named by --env-file", options, read, sources, findings);
  } else if (!is_true(variable(options, "COMPOSE_DISABLE_ENV_FILE"))) {
    files = {sources.project_dir / ".env"};
    if (start != sources.project_dir) files.push_back(start / ".env");
    read_variables(files, "", options, read, sources, findings);
  }
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool is_project_name(const std::string& name) {
  auto letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || !letter_or_digit(name[0])) return false;
  for (char c : name) {
    if (!letter_or_digit(c) && c != '-' && c != '_') return false;
  }
  return true;
}

void read_variables(const std::vector<fs::path>& files, const std::string& named_by,
                    const LoadOptions& options, const ReadFile& read, Sources& sources, Findings& findings) {
  std::map<std::string, std::string> variables;
  auto shell = [&](const std::string& name) -> std::optional<std::string> {
    auto found = options.environment.find(name);
    return found == options.environment.end() ? std::nullopt : std::optional(found->second);
  };
  for (const fs::path& path : files) {
    auto bytes = read(path);
    std::string name = shown(path, sources.project_dir);
    if (bytes) {
      const auto before = variables;
      parse_dotenv(*bytes, DotenvFormat::compose, name, shell, variables, findings);
      for (const auto& [variable, value] : variables) {
        const auto known = before.find(variable);
        if (known == before.end() || known->second != value) sources.origins[variable] = name;
      }
    } else if (!named_by.empty()) {
      findings.refuse({name, 0, 0}, "no such env file", named_by);
    }
  }
  sources.variables = options.environment;
  sources.variables.insert(variables.begin(), variables.end());
  sources.written = std::move(variables);
}

std::string shown(const fs::path& file, const fs::path& project_dir) {
  fs::path relative = file.lexically_relative(project_dir);
  return relative.empty() || relative.begin()->string() == ".." ? file.string() : relative.string();
}

Sources discover(const LoadOptions& options, const ReadFile& read, Findings& findings) {
  Sources sources;
  std::vector<fs::path> named = options.files;
  auto name_files = [&](const std::map<std::string, std::string>& variables) {
    auto found = variables.find("COMPOSE_FILE");
    if (!named.empty() || found == variables.end()) return;
    auto separator = variables.find("COMPOSE_PATH_SEPARATOR");
    char by = separator == variables.end() || separator->second.empty() ? ':' : separator->second[0];
    for (const std::string& file : split(found->second, by)) named.emplace_back(file);
  };
  name_files(options.environment);

  const fs::path start = options.project_dir ? directory(absolute(*options.project_dir, options.working_dir))
                         : named.empty()     ? directory(options.working_dir)
                                             : absolute(named.front(), options.working_dir).parent_path();
  const bool variables = !options.release || !options.env_files.empty();
  sources.project_dir = start;
  sources.variables = options.environment;
  Findings first;  // of what may be read again, under another name
  if (variables) read_env_files(options, start, read, sources, first);
  name_files(sources.variables);

  if (!options.project_dir) {
    auto found = named.empty() ? find_project(start, kNames, read) : std::nullopt;
    if (named.empty() && !found) found = find_project(start, kInstead, read);
    if (!named.empty()) found = absolute(named.front(), options.working_dir).parent_path();
    sources.project_dir = found.value_or(start);
  }
  const bool again = variables && sources.project_dir != start;
  if (again) read_env_files(options, start, read, sources, findings);
  if (!again) findings.problems.insert(findings.problems.end(), first.problems.begin(), first.problems.end());

  if (named.empty()) {
    use_found(options, read, sources, findings);
  } else {
    for (const fs::path& file : named) sources.files.push_back(absolute(file, options.working_dir));
  }

  sources.profiles = options.profiles;
  auto profiles = sources.variables.find("COMPOSE_PROFILES");
  if (sources.profiles.empty() && profiles != sources.variables.end()) {
    for (const std::string& name : split(profiles->second, ',')) sources.profiles.emplace_back(trimmed(name));
  }
  sources.found = sources.files;
  return sources;
}

std::string project_name(const LoadOptions& options, const Sources& sources,
                         const std::optional<std::string>& written, Findings& findings) {
  std::string given = options.project_name.value_or("");
  auto variable = sources.variables.find("COMPOSE_PROJECT_NAME");
  if (given.empty() && variable != sources.variables.end()) given = variable->second;
  if (!given.empty()) {
    if (!is_project_name(given)) {
      findings.refuse(
          {},
          fmt::format("'{}' is no project name: it must be lower-case letters, digits, '-' and '_', and "
                      "begin with a letter or a digit",
                      given),
          fmt::format("try '{}'", normalise(given)));
    }
    return given;
  }
  const std::string directory = sources.project_dir.filename().string();
  std::string name = normalise(written.value_or(directory));
  if (name.empty() && written) {
    findings.refuse({}, fmt::format("name: '{}' gives no project name", *written),
                    "write letters or digits, or set the variables in it");
  } else if (name.empty()) {
    findings.refuse({},
                    fmt::format("the directory's name '{}' gives no project name",
                                sources.project_dir.filename().string()),
                    "write 'name: my-app' at the top of the file, or give -p");
  }
  return name;
}

}  // namespace holdall::app
