#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/time.h"

namespace boredbot {

/// A row as people see it.
struct Row {
  std::string text, updated_at;
  bool operator==(const Row&) const = default;
};

/// `field` of a row of the API; empty where it is no text.
Row row_of(const holdall::Json& row, std::string_view field);

/// What one account said when it was last asked: rows, the newest first. After a fault these are the rows of
/// the last answer that was one.
struct Said {
  std::vector<Row> rows;
  std::string fault;  ///< why there is no newer answer; empty: there is
  bool operator==(const Said&) const = default;
};

/// What the page shows.
struct Board {
  Said lines;  ///< of the robot's account
  Said moods;  ///< of the other: one row, if all is well
  bool operator==(const Board&) const = default;
};

/// Keeps the board. Both accounts are asked at the same time, never more than once a second, however many
/// people look; who looks while they are being asked sees what was there before. Thread-safe.
class BoardKeeper {
 public:
  /// Asks one account; throws an Error.
  using Ask = std::function<std::vector<Row>(holdall::Deadline)>;

  BoardKeeper(Ask lines, Ask moods, const holdall::Clock& clock);

  /// Never throws: what goes wrong stands in the board.
  Board read(holdall::Deadline deadline);

 private:
  static void update(Said& said, const Ask& ask, holdall::Deadline deadline);

  const Ask lines_, moods_;
  const holdall::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable asked_;
  Board board_;
  holdall::Instant fresh_until_ = holdall::Instant::min();
  bool ever_ = false, asking_ = false;
};

}  // namespace boredbot
