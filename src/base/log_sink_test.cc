#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/log.h"

using namespace holdall;

namespace {

/// Stderr is a pipe, which nobody reads at first.
class Captured {
 public:
  explicit Captured(int flags = 0) : pipe_(make_pipe(flags)), before_(dup(STDERR_FILENO)) {
    dup2(pipe_.write.get(), STDERR_FILENO);
    pipe_.write.reset();
    fcntl(pipe_.read.get(), F_SETFL, 0);
    log::set_format(log::Format::json);
  }
  ~Captured() { read_all(); }

  void begin_reading() {
    reader_ = std::thread([this] {
      char buffer[4096];
      ssize_t got;
      while ((got = read(pipe_.read.get(), buffer, sizeof buffer)) > 0)
        said_.append(buffer, static_cast<std::size_t>(got));
    });
  }
  /// All that was written; stderr is as before.
  const std::string& read_all() {
    if (!before_) return said_;
    if (!reader_.joinable()) begin_reading();
    dup2(before_.get(), STDERR_FILENO);
    before_.reset();
    reader_.join();
    log::set_format(log::Format::automatic);
    return said_;
  }

 private:
  Pipe pipe_;
  Fd before_;
  std::thread reader_;
  std::string said_;
};

std::vector<Json> lines(const std::string& text) {
  std::vector<Json> out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    out.push_back(Json::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

}  // namespace

TEST_CASE("a context's fields are on each line of its thread, and its own and inner ones come first") {
  Captured captured;
  {
    log::Context outer(Json::object({{"rid", "a"}, {"app", "shop"}}));
    {
      log::Context inner(Json::object({{"rid", "b"}}));
      log::info("t", "", Json::object({{"app", "own"}}));
    }
    log::info("t", "");
    std::thread([] { log::info("t", "elsewhere"); }).join();
  }
  log::info("t", "after");
  auto said = lines(captured.read_all());
  CHECK(said[0].at("Fields") == Json::parse(R"({"app":"own","rid":"b"})"));
  CHECK(said[1].at("Fields") == Json::parse(R"({"rid":"a","app":"shop"})"));
  CHECK(said[2].at("Fields") == Json::parse(R"({"msg":"elsewhere"})"));
  CHECK(said[3].at("Fields") == Json::parse(R"({"msg":"after"})"));
}

TEST_CASE("a line that is less severe than the level is not written") {
  Captured captured;
  log::set_level(log::Severity::warning);
  log::info("t", "no");
  log::warning("t", "yes");
  log::set_level(log::Severity::debug);
  CHECK(lines(captured.read_all()).size() == 1);
}

TEST_CASE("while a backlog lives nobody waits for stderr, and all lines come, in order") {
  constexpr int kLines = 2000;  // far more than a pipe takes
  for (int flags : {0, O_NONBLOCK}) {
    Captured captured(flags);
    {
      log::Backlog backlog;
      for (int i = 0; i < kLines; ++i) {
        log::info("t", std::string(i % 7 == 0 ? 9000 : 100, 'x'), Json::object({{"i", i}}));
      }
      captured.begin_reading();
    }
    auto said = lines(captured.read_all());
    REQUIRE(said.size() == kLines);
    for (int i = 0; i < kLines; ++i)
      REQUIRE(said[static_cast<std::size_t>(i)].at("Fields").at("i").integer() == i);
  }
}

TEST_CASE("lines for which there is no room are counted, and the count is told") {
  constexpr int kLines = 40;
  constexpr std::size_t kMegabyte = 1 << 20;
  Captured captured;
  {
    log::Backlog backlog;
    for (int i = 0; i < kLines; ++i) log::info("t", std::string(kMegabyte, 'x'));
    captured.begin_reading();
  }
  auto said = lines(captured.read_all());
  REQUIRE(said.back().at("Type").string() == "log.lost");
  CHECK(static_cast<std::size_t>(said.back().at("Fields").at("count").integer()) + said.size() - 1 == kLines);
}

TEST_CASE("lines of several threads never mix, with a backlog or without one") {
  constexpr int kThreads = 4, kEach = 200;
  for (bool backlogged : {false, true}) {
    Captured captured;
    captured.begin_reading();
    {
      std::optional<log::Backlog> backlog;
      if (backlogged) backlog.emplace();
      std::vector<std::thread> threads;
      for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([] {
          for (int j = 0; j < kEach; ++j) log::info("t", std::string(6000, 'x'));
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
    CHECK(lines(captured.read_all()).size() == kThreads * kEach);
  }
}

TEST_CASE("text for people shows what a terminal would obey, and keeps a message's lines") {
  Captured captured;
  log::set_format(log::Format::text);
  log::critical("t", "two\nlines \x1b[2J", Json::object({{"agent", "a\nb\x07"}, {"n", 3}}));
  CHECK(captured.read_all().ends_with(" critical t  two\nlines \\x1b[2J  agent=a\\x0ab\\x07  n=3\n"));
}
