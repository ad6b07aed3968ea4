#include "kit/database.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/files.h"

namespace holdall::kit {
namespace {

struct File {
  int number;
  std::string name;
  std::filesystem::path path;
};

/// "0001_notes.sql" -> 1, "notes"; number 0 for another form.
File parse_name(const std::filesystem::path& path) {
  std::string stem = path.stem().string();
  std::size_t digits = std::min(stem.find_first_not_of("0123456789"), stem.size());
  constexpr std::size_t kMostDigits = 9;
  bool good = digits > 0 && digits <= kMostDigits && digits + 1 < stem.size() && stem[digits] == '_';
  return {good ? std::stoi(stem.substr(0, digits)) : 0, good ? stem.substr(digits + 1) : "", path};
}

}  // namespace

Check database_check(store::Database& database, std::span<const store::Migration> migrations) {
  std::int64_t wanted = migrations.empty() ? 0 : migrations.back().number;
  bool knows = !migrations.empty();
  return [&database, wanted, knows](Deadline) -> std::vector<Finding> {
    std::int64_t present = 0;
    try {
      present = database.version();
    } catch (const Error& error) {
      return {{Level::error, "dockerflow.health.E002", error.what()}};
    }
    if (knows && present < wanted) {
      return {
          {Level::warning, "dockerflow.health.W001",
           fmt::format("the schema has version {}, this program wants {}: run `migrate`", present, wanted)}};
    }
    if (knows && present > wanted) {
      return {{Level::warning, "dockerflow.health.W002",
               fmt::format("the schema has version {}, this program knows {}", present, wanted)}};
    }
    return {};
  };
}

std::unique_ptr<const MigrationFiles> read_migrations(const std::filesystem::path& directory) {
  if (!std::filesystem::is_directory(directory)) {
    throw Error(Error::missing, fmt::format("no directory of migrations at {}", directory.string()));
  }
  std::vector<Problem> problems;
  std::map<int, File> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".sql") continue;
    File file = parse_name(entry.path());
    if (file.number == 0)
      problems.push_back({{entry.path().string()}, "is not named NNNN_name.sql, from 0001 on", ""});
    bool added = file.number == 0 || files.emplace(file.number, file).second;
    if (!added)
      problems.push_back(
          {{entry.path().string()}, fmt::format("there are two migrations {}", file.number), ""});
  }
  for (int number = 1; !files.empty() && number < files.rbegin()->first; ++number) {
    if (!files.contains(number))
      problems.push_back({{directory.string()}, fmt::format("migration {} is missing", number), ""});
  }
  throw_if_any(problems);
  auto out = std::make_unique<MigrationFiles>();
  for (const auto& [number, file] : files) {
    out->names.push_back(file.name);
    out->texts.push_back(read_file(file.path));
  }
  for (int number = 1; const auto& text : out->texts) {
    out->rows.push_back({number, out->names[static_cast<std::size_t>(number - 1)], text});
    ++number;
  }
  return out;
}

}  // namespace holdall::kit
