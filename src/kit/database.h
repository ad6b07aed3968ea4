#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kit/health.h"
#include "store/store.h"

namespace holdall::kit {

/// Asks the database something, and says when its schema is not the one that `migrations` lead to. Findings
/// have Dockerflow's ids: E002 (it does not answer), W001 (unapplied migrations), W002 (its schema is newer).
Check database_check(store::Database& database, std::span<const store::Migration> migrations = {});

/// The migrations in a directory's files NNNN_name.sql, in order. `rows` is valid as long as this lives.
struct MigrationFiles {
  std::vector<std::string> names, texts;
  std::vector<store::Migration> rows;
};

/// Throws `missing` if there is no such directory, `invalid` for a gap in the numbers, a number that is there
/// twice and a name of another form.
std::unique_ptr<const MigrationFiles> read_migrations(const std::filesystem::path& directory);

}  // namespace holdall::kit
