#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/error.h"
#include "board.h"
#include "page.h"
#include "robot.h"

namespace boredbot {

using holdall::Deadline;
using holdall::Error;
using holdall::Json;
using std::chrono::seconds;

namespace {

const Row kBored{.text = "I'm bored", .updated_at = "2026-11-21T15:10:44.354Z"};
const Row kFine{.text = "fine", .updated_at = "2026-11-21T15:00:00.000Z"};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Board good() { return {.lines = {.rows = {kBored}, .fault = ""}, .moods = {.rows = {kFine}, .fault = ""}}; }

/// Set by hand.
class HandClock final : public holdall::Clock {
 public:
  holdall::Instant now() const override { return now_; }
  holdall::WallTime wall() const override { return {}; }
  void advance(std::chrono::nanoseconds span) { now_ += span; }

 private:
  holdall::Instant now_{};
};

/// An account that answers as the test says.
struct Account {
  std::vector<Row> rows;
  std::string fault;
  int asked = 0;
  BoardKeeper::Ask ask() {
    return [this](Deadline) {
      ++asked;
      if (!fault.empty()) throw Error(Error::busy, fault);
      return rows;
    };
  }
};

}  // namespace

TEST_CASE("the page shows the mood and a list item for each line with its time") {
  const std::string text = page(good(), {.colour = "green", .release = "v2", .instance = "web.1"});
  CHECK(has(text, "<strong>fine</strong>"));
  CHECK(has(text,
            "<li>I&#39;m bored <time "
            "datetime=\"2026-11-21T15:10:44.354Z\">(2026-11-21T15:10:44.354Z)</time></li>"));
  CHECK(has(text, "--mood: green;"));
  CHECK(has(text, "web.1 of v2"));
}

TEST_CASE("what comes from elsewhere is escaped wherever it stands") {
  const std::string evil = "<script>alert('&\"')</script>";
  const Row row{.text = evil, .updated_at = evil};
  const std::string text = page({.lines = {{row}, evil}, .moods = {{row}, evil}},
                                {.colour = "red;}</style><script>", .release = evil, .instance = evil});
  CHECK_FALSE(has(text, "<script"));
  CHECK_FALSE(has(text, "='<"));
  CHECK(has(text, "--mood: grey;"));
  CHECK(has(text, "&lt;script&gt;"));
}

TEST_CASE("no mood and several moods are said, and are no failure") {
  Board board = good();
  board.moods.rows.clear();
  CHECK(has(page(board, {}), "no mood"));
  board.moods.rows = {kFine, kBored};
  CHECK(has(page(board, {}), "<strong>fine</strong>"));
  CHECK(has(page(board, {}), "More than one mood is current"));
}

TEST_CASE("an API that is down is said, beside what it said last, and not to everybody why") {
  Board board;
  board.lines.fault = "no answer";
  board.moods = {.rows = {kFine}, .fault = "no answer"};
  const std::string text = page(board, {});
  CHECK(has(text, "The lines cannot be read just now."));
  CHECK(has(text, "The mood cannot be read just now. This is what was there before."));
  CHECK(has(text, "<strong>fine</strong>"));
  CHECK_FALSE(has(text, "no answer"));
}

TEST_CASE("a row without text is a row that says nothing") {
  const Json row = Json::object({{"status", 5}, {"updatedAt", kBored.updated_at}});
  CHECK(row_of(row, "status") == Row{.text = "", .updated_at = kBored.updated_at});
  CHECK(has(page({.lines = {{row_of(row, "status")}, ""}, .moods = {}}, {}), "<li><em>nothing</em> "));
}

TEST_CASE("the board asks once a second, however many people look") {
  HandClock clock;
  Account lines{.rows = {kBored}}, moods{.rows = {kFine}};
  BoardKeeper keeper(lines.ask(), moods.ask(), clock);
  for (int i = 0; i < 5; ++i) CHECK(keeper.read(Deadline::never()) == good());
  CHECK(lines.asked == 1);
  CHECK(moods.asked == 1);
  clock.advance(seconds(1));
  keeper.read(Deadline::never());
  CHECK(lines.asked == 2);
  CHECK(moods.asked == 2);
}

TEST_CASE("one account's fault leaves the other's rows and its own last ones") {
  HandClock clock;
  Account lines{.rows = {kBored}}, moods{.rows = {kFine}};
  BoardKeeper keeper(lines.ask(), moods.ask(), clock);
  keeper.read(Deadline::never());
  moods.fault = "no answer";
  clock.advance(seconds(2));
  const Board board = keeper.read(Deadline::never());
  CHECK(board.lines == good().lines);
  CHECK(board.moods == Said{.rows = {kFine}, .fault = "no answer"});
}

TEST_CASE("both accounts are asked at the same time") {
  HandClock clock;
  std::atomic<int> here = 0;
  // Each waits for the other to have been asked.
  auto ask = [&](Deadline) {
    ++here;
    while (here < 2) std::this_thread::yield();
    return std::vector<Row>{kBored};
  };
  CHECK(BoardKeeper(ask, ask, clock).read(Deadline::never()).moods.rows.size() == 1);
}

TEST_CASE("who looks while the accounts are asked sees what was there") {
  HandClock clock;
  std::atomic<bool> hold = false, held = false;
  Account moods{.rows = {kFine}};
  BoardKeeper keeper(
      [&](Deadline) {
        held = hold.load();
        while (hold) std::this_thread::yield();
        return std::vector<Row>{kBored};
      },
      moods.ask(), clock);
  keeper.read(Deadline::never());
  clock.advance(seconds(2));
  hold = true;
  std::jthread slow([&] { keeper.read(Deadline::never()); });
  while (!held) std::this_thread::yield();
  CHECK(keeper.read(Deadline::never()) == good());
  hold = false;
}

TEST_CASE("the robot speaks every ten seconds, tries again sooner after a failure, and does not die of it") {
  std::vector<seconds> rests;
  int said = 0, complaints = 0;
  Robot{.say =
            [&] {
              if (++said == 2 || said == 3) throw Error(Error::busy, "no answer");
            },
        .rest =
            [&](seconds span) {
              rests.push_back(span);
              return rests.size() < 5;
            },
        .complain = [&](const Error&, seconds) { ++complaints; }}
      .run();
  CHECK(rests == std::vector{seconds(10), seconds(1), seconds(2), seconds(10), seconds(10)});
  CHECK(complaints == 2);
}

TEST_CASE("the robot's rests double, up to a minute") {
  CHECK(rest_after(1) == seconds(1));
  CHECK(rest_after(2) == seconds(2));
  CHECK(rest_after(6) == seconds(32));
  CHECK(rest_after(7) == seconds(60));
  CHECK(rest_after(1000) == seconds(60));
}

}  // namespace boredbot
