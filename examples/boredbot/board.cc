#include "board.h"

#include <exception>
#include <functional>
#include <future>
#include <utility>

#include "base/log.h"

namespace boredbot {

namespace {

// People do not see that a line is a second old, and the API is not asked for each of five hundred of them.
constexpr std::chrono::seconds kFresh{1};

}  // namespace

Row row_of(const holdall::Json& row, std::string_view field) {
  auto text = [&](std::string_view name) {
    const holdall::Json* value = row.find(name);
    return value && value->is_string() ? value->string() : "";
  };
  return {.text = text(field), .updated_at = text("updatedAt")};
}

BoardKeeper::BoardKeeper(Ask lines, Ask moods, const holdall::Clock& clock)
    : lines_(std::move(lines)), moods_(std::move(moods)), clock_(clock) {}

void BoardKeeper::update(Said& said, const Ask& ask, holdall::Deadline deadline) {
  try {
    said = {.rows = ask(deadline), .fault = ""};
  } catch (const std::exception& error) {
    said.fault = error.what();
    holdall::log::warning("board.unread", said.fault);
  }
}

Board BoardKeeper::read(holdall::Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (!ever_) asked_.wait(lock, [&] { return !asking_; });
  if (asking_ || clock_.now() < fresh_until_) return board_;
  asking_ = true;
  Board next = board_;
  lock.unlock();

  // Where no thread is to be had, one after the other.
  std::future<void> moods = std::async(std::launch::async | std::launch::deferred, update,
                                       std::ref(next.moods), std::cref(moods_), deadline);
  update(next.lines, lines_, deadline);
  moods.get();

  lock.lock();
  board_ = std::move(next);
  fresh_until_ = clock_.now() + kFresh;
  ever_ = true;
  asking_ = false;
  asked_.notify_all();
  return board_;
}

}  // namespace boredbot
