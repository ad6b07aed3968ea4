#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace holdall::store {

/// NULL, INTEGER, REAL or TEXT.
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

/// One row of an answer. Columns count from 0; asking for the wrong type throws `broken` with the column's
/// name.
class Row {
 public:
  virtual ~Row() = default;
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::string text(int column) const = 0;  ///< NULL gives ""
};

/// What can be said to the database within one transaction. Valid only inside the call it is given to.
class Transaction {
 public:
  virtual ~Transaction() = default;

  /// Runs one statement with `?` parameters; returns how many rows it changed. Throws `conflict` on a broken
  /// constraint, `broken` on wrong SQL.
  virtual std::int64_t execute(std::string_view sql, const std::vector<Value>& parameters = {}) = 0;

  /// Calls `each` with every row of the answer.
  virtual void query(std::string_view sql, const std::vector<Value>& parameters,
                     const std::function<void(const Row&)>& each) = 0;
};

struct Migration {
  int number;             ///< 1, 2, 3, ... without a gap
  std::string_view name;  ///< "releases"
  std::string_view sql;   ///< several statements
};

/// The one database. What `write` returns from is on the disk (synchronous=FULL): a power cut keeps it.
/// Thread-safe: writes and reads are one after another, reads see the last committed state. Callers never
/// hold their own locks across it.
class Database {
 public:
  virtual ~Database() = default;

  /// Runs `work` in a transaction and commits. An exception out of `work` undoes what it did and passes on.
  /// Writers that come at once share one commit: `work` may run on another writer's thread while its caller
  /// waits, once, and must call neither `write` nor `read`.
  virtual void write(const std::function<void(Transaction&)>& work) = 0;
  virtual void read(const std::function<void(Transaction&)>& work) = 0;

  /// Applies the migrations above the schema's number, each in a transaction, after copying the file aside as
  /// `NAME.before-N`. Forward only. Throws `invalid` naming the version if the file's schema is newer than
  /// ours. Of processes that share the file, one applies them and the others find it done.
  virtual void migrate(std::span<const Migration> migrations) = 0;

  /// The number of the newest migration that was applied; 0 of an empty database.
  virtual std::int64_t version() = 0;
};

/// Who may have a database open.
enum class Access {
  exclusive,  ///< this process alone: another one gets `busy`
  shared,     ///< other processes too; a writer waits for the others' transactions, up to 5 s, then throws
              ///< `busy`
};

/// SQLite in WAL mode at `path`, made (for its owner's eyes only) if there is none; ":memory:" for tests.
std::unique_ptr<Database> open_sqlite(const std::string& path, Access access = Access::exclusive);

/// The way back of an upgrade that failed: if the database at `path`, which nobody has open, has a newer
/// schema than the last of `migrations`, the copy that was made before it got that takes its place, and the
/// newer one is kept beside it under the name that is returned. Nothing is done, and returned, if it has no
/// newer schema or there is no such copy.
std::optional<std::string> restore_copy(const std::string& path, std::span<const Migration> migrations);

}  // namespace holdall::store
