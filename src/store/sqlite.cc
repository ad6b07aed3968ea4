#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>

#include "base/fd.h"
#include "base/files.h"
#include "base/id.h"
#include "store/connection.h"
#include "store/store.h"

namespace holdall::store {
namespace {

using Work = std::function<void(Transaction&)>;

/// Lets `read` look and not change.
class ReadOnly final : public Transaction {
 public:
  explicit ReadOnly(Connection& connection) : connection_(connection) {}
  std::int64_t execute(std::string_view sql, const std::vector<Value>&) override {
    throw Error(Error::broken, fmt::format("database: a read may not change anything: {}", sql));
  }
  void query(std::string_view sql, const std::vector<Value>& parameters,
             const std::function<void(const Row&)>& each) override {
    connection_.query(sql, parameters, each);
  }

 private:
  Connection& connection_;
};

/// Writers that wait for the disk at the same time share one commit: the first of them leads, runs the work
/// of all that queued up meanwhile, each in a savepoint of its own, commits once and tells the others.
class Sqlite final : public Database {
 public:
  Sqlite(const std::string& path, Access access)
      : path_(path), shared_(access == Access::shared), connection_(path, access) {}

  void write(const Work& work) override {
    Writer self{&work, nullptr, false};
    std::unique_lock lock(queue_mutex_);
    queue_.push_back(&self);
    turned_.wait(lock, [&] { return self.done || !led_; });
    if (!self.done) {
      led_ = true;
      std::deque<Writer*> batch;
      batch.swap(queue_);
      lock.unlock();
      commit_together(batch);
      lock.lock();
      for (Writer* writer : batch) writer->done = true;
      led_ = false;
      turned_.notify_all();
    }
    lock.unlock();
    if (self.fault) std::rethrow_exception(self.fault);
  }

  void read(const Work& work) override {
    std::lock_guard lock(connection_mutex_);
    ReadOnly view(connection_);
    if (!shared_) return work(view);
    // Queries of one read see one state, whatever other processes commit between them.
    connection_.execute("begin");
    try {
      work(view);
      connection_.execute("commit");
    } catch (...) {
      roll_back();
      throw;
    }
  }

  std::int64_t version() override {
    std::lock_guard lock(connection_mutex_);
    return schema_version();
  }

  void migrate(std::span<const Migration> migrations) override {
    std::lock_guard lock(connection_mutex_);
    std::int64_t present = schema_version();
    std::int64_t newest = migrations.empty() ? 0 : migrations.back().number;
    if (present > newest) {
      throw Error(Error::invalid,
                  fmt::format("the database {} has schema version {}, this program knows {}: start "
                              "one that knows version {}",
                              path_, present, newest, present));
    }
    if (present == newest) return;
    if (present > 0) copy_aside(present);
    for (const Migration& migration : migrations) {
      if (migration.number > present) apply(migration);
    }
  }

 private:
  struct Writer {
    const Work* work;
    std::exception_ptr fault;
    bool done;
  };

  void commit_together(const std::deque<Writer*>& batch) {
    std::lock_guard lock(connection_mutex_);
    try {
      connection_.execute("begin immediate");
      for (Writer* writer : batch) run_in_savepoint(*writer);
      connection_.execute("commit");
    } catch (...) {
      // Nothing of the batch is on the disk. A writer that had failed by itself keeps its own reason.
      for (Writer* writer : batch) {
        if (!writer->fault) writer->fault = std::current_exception();
      }
      roll_back();
    }
  }

  void run_in_savepoint(Writer& writer) {
    connection_.execute("savepoint writer");
    try {
      (*writer.work)(connection_);
    } catch (...) {
      writer.fault = std::current_exception();
      connection_.execute("rollback to writer");
    }
    connection_.execute("release writer");
  }

  /// SQLite rolls back by itself when the disk is full or broken; then there is nothing left to do.
  void roll_back() noexcept {
    try {
      if (connection_.in_transaction()) connection_.execute("rollback");
    } catch (const Error&) {
    }
  }

  std::int64_t schema_version() {
    std::int64_t version = 0;
    connection_.query("pragma user_version", {}, [&](const Row& row) { version = row.integer(0); });
    return version;
  }

  void apply(const Migration& migration) {
    try {
      connection_.run_script("begin exclusive");
      // Another process may have come first.
      if (schema_version() >= migration.number) return roll_back();
      connection_.run_script(migration.sql);
      connection_.run_script(fmt::format("pragma user_version = {}", migration.number));
      connection_.run_script("commit");
    } catch (const Error& error) {
      roll_back();
      throw error.during(fmt::format("schema version {} ({})", migration.number, migration.name));
    }
  }

  void copy_aside(std::int64_t version) {
    if (path_ == ":memory:") return;
    std::string copy = fmt::format("{}.before-{}", path_, version + 1);
    std::string unfinished = fmt::format("{}.{}.new", copy, random_id());
    // Not by reading the file: closing a second descriptor of it would drop this process's lock.
    connection_.execute("vacuum into ?", {unfinished});
    if (schema_version() != version) {  // another process came first, and this is a copy of its work
      std::filesystem::remove(unfinished);
      return;
    }
    Fd file(checked(open(unfinished.c_str(), O_RDONLY | O_CLOEXEC), "open the copy of the database"));
    checked(fsync(file.get()), "write the copy of the database");
    std::filesystem::rename(unfinished, copy);
    fsync_directory(std::filesystem::absolute(path_).parent_path());
  }

  const std::string path_;
  const bool shared_;

  std::mutex queue_mutex_;
  std::condition_variable turned_;
  std::deque<Writer*> queue_;  ///< by queue_mutex_, as is the next
  bool led_ = false;

  std::mutex connection_mutex_;
  Connection connection_;  ///< by connection_mutex_
};

}  // namespace

std::optional<std::string> restore_copy(const std::string& path, std::span<const Migration> migrations) {
  const std::int64_t ours = migrations.back().number;
  if (!std::filesystem::exists(path)) return std::nullopt;
  // What its last owner left in the WAL goes into the file, and the WAL goes.
  const std::int64_t theirs = open_sqlite(path)->version();
  const std::string copy = fmt::format("{}.before-{}", path, ours + 1);
  if (theirs <= ours || !std::filesystem::exists(copy)) return std::nullopt;
  const std::string kept = fmt::format("{}.failed-{}", path, theirs);
  std::error_code none;
  for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(path + beside, none);
  std::filesystem::remove(kept, none);
  std::filesystem::create_hard_link(path, kept);
  std::filesystem::rename(copy, path);
  fsync_directory(std::filesystem::absolute(path).parent_path());
  return kept;
}

std::unique_ptr<Database> open_sqlite(const std::string& path, Access access) {
  // A model may hold what is nobody else's business. SQLite gives the WAL the mode of the file it belongs to.
  if (path != ":memory:") Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  return std::make_unique<Sqlite>(path, access);
}

}  // namespace holdall::store
