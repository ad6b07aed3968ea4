#include "store/connection.h"

#include <fmt/format.h>

namespace holdall::store {
namespace {

// Other processes' transactions are short; one that takes longer is stuck (store.h promises it).
constexpr int kBusyMs = 5000;

Error::Kind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT: return Error::conflict;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL: return Error::busy;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH: return Error::denied;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT: return Error::invalid;
    default: return Error::broken;
  }
}

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}

  bool is_null(int column) const override { return type(column) == SQLITE_NULL; }
  std::int64_t integer(int column) const override {
    if (type(column) != SQLITE_INTEGER) wrong_type(column, "an integer");
    return sqlite3_column_int64(statement_, column);
  }
  double real(int column) const override {
    if (type(column) != SQLITE_FLOAT && type(column) != SQLITE_INTEGER) wrong_type(column, "a number");
    return sqlite3_column_double(statement_, column);
  }
  std::string text(int column) const override {
    if (is_null(column)) return "";
    if (type(column) != SQLITE_TEXT) wrong_type(column, "text");
    auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  int type(int column) const {
    if (column < 0 || column >= sqlite3_column_count(statement_)) {
      throw Error(Error::broken, fmt::format("a row has no column {}", column));
    }
    return sqlite3_column_type(statement_, column);
  }
  [[noreturn]] void wrong_type(int column, std::string_view expected) const {
    throw Error(Error::broken,
                fmt::format("column {} is not {}", sqlite3_column_name(statement_, column), expected));
  }

  sqlite3_stmt* statement_;
};

}  // namespace

/// A prepared statement in use. A query within a query of the same text gets one of its own.
class Connection::Lease {
 public:
  Lease(Connection& connection, std::string_view sql) : connection_(connection) {
    if (auto found = connection.idle_.find(sql); found != connection.idle_.end()) {
      node_ = connection.idle_.extract(found);
      statement_ = node_.mapped().get();
    } else {
      fresh_ = connection.prepare(sql);
      statement_ = fresh_.get();
      sql_ = sql;
    }
  }
  ~Lease() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    if (fresh_) {
      connection_.idle_.try_emplace(std::move(sql_), std::move(fresh_));
    } else {
      connection_.idle_.insert(std::move(node_));
    }
  }
  Lease(const Lease&) = delete;
  sqlite3_stmt* get() const { return statement_; }

 private:
  Connection& connection_;
  decltype(Connection::idle_)::node_type node_;
  Statement fresh_;
  std::string sql_;
  sqlite3_stmt* statement_ = nullptr;
};

Connection::Connection(const std::string& path, Access access) {
  sqlite3* opened = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &opened,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(opened);
  if (code != SQLITE_OK) {
    throw Error(kind_of(code), fmt::format("open the database {}: {}", path, sqlite3_errmsg(opened)));
  }
  sqlite3_extended_result_codes(opened, 1);
  try {
    // A second process is refused, and the WAL's index needs no shared memory file.
    if (access == Access::exclusive) run_script("pragma locking_mode = exclusive");
    if (access == Access::shared) sqlite3_busy_timeout(opened, kBusyMs);
    run_script("pragma journal_mode = wal");
    run_script("pragma synchronous = full");
    run_script("pragma foreign_keys = on");
    run_script("pragma cache_size = -1024");  // KiB: the state is small, and so should we be
    // The WAL is cut back to this after a checkpoint; one burst must not leave a large file for ever.
    run_script("pragma journal_size_limit = 4194304");
    if (access == Access::exclusive) run_script("begin exclusive; commit");
  } catch (const Error& error) {
    if (error.kind() != Error::busy) throw;
    throw Error(Error::busy,
                fmt::format("the database {} is in use by another process: stop that one first", path));
  }
}

Connection::~Connection() { idle_.clear(); }

void Connection::check(int code, std::string_view sql) const {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
  constexpr std::size_t kShown = 120;
  throw Error(kind_of(code),
              fmt::format("database: {} (in {})", sqlite3_errmsg(database_.get()), sql.substr(0, kShown)));
}

Connection::Statement Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  check(sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement, nullptr),
        sql);
  if (!statement) throw Error(Error::broken, "database: an empty statement");
  return Statement(statement);
}

void Connection::bind(sqlite3_stmt* statement, const std::vector<Value>& parameters, std::string_view sql) {
  if (sqlite3_bind_parameter_count(statement) != static_cast<int>(parameters.size())) {
    throw Error(Error::broken, fmt::format("database: {} parameters given for {}", parameters.size(), sql));
  }
  int index = 0;
  for (const Value& value : parameters) {
    ++index;
    if (std::holds_alternative<std::monostate>(value)) {
      check(sqlite3_bind_null(statement, index), sql);
    } else if (auto* integer = std::get_if<std::int64_t>(&value)) {
      check(sqlite3_bind_int64(statement, index, *integer), sql);
    } else if (auto* real = std::get_if<double>(&value)) {
      check(sqlite3_bind_double(statement, index, *real), sql);
    } else {
      const std::string& text = std::get<std::string>(value);
      // Static: the parameters outlive the statement's run.
      check(sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8), sql);
    }
  }
}

std::int64_t Connection::execute(std::string_view sql, const std::vector<Value>& parameters) {
  Lease statement(*this, sql);
  bind(statement.get(), parameters, sql);
  int code;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
  }
  check(code, sql);
  return sqlite3_changes64(database_.get());
}

void Connection::query(std::string_view sql, const std::vector<Value>& parameters,
                       const std::function<void(const Row&)>& each) {
  Lease statement(*this, sql);
  bind(statement.get(), parameters, sql);
  SqliteRow row(statement.get());
  int code;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) each(row);
  check(code, sql);
}

void Connection::run_script(std::string_view sql) {
  std::string script(sql);
  check(sqlite3_exec(database_.get(), script.c_str(), nullptr, nullptr, nullptr), sql);
}

}  // namespace holdall::store
