#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "store/store.h"

namespace holdall::store {

/// One SQLite connection and its prepared statements. Used by one thread at a time.
class Connection final : public Transaction {
 public:
  Connection(const std::string& path, Access access);
  ~Connection() override;
  Connection(const Connection&) = delete;

  std::int64_t execute(std::string_view sql, const std::vector<Value>& parameters = {}) override;
  void query(std::string_view sql, const std::vector<Value>& parameters,
             const std::function<void(const Row&)>& each) override;

  /// Several statements, without parameters and not kept prepared.
  void run_script(std::string_view sql);

  bool in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };
  struct CloseStatement {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, CloseStatement>;
  class Lease;

  void check(int code, std::string_view sql) const;
  Statement prepare(std::string_view sql);
  void bind(sqlite3_stmt* statement, const std::vector<Value>& parameters, std::string_view sql);

  std::unique_ptr<sqlite3, CloseDatabase> database_;
  std::map<std::string, Statement, std::less<>>
      idle_;  ///< prepared, by their text; one in use is not in here
};

}  // namespace holdall::store
