#include "serve/request_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "serve/passing.h"

namespace holdall::serve {
namespace {

using namespace std::chrono_literals;

// The most that an unprivileged process may ask for (/proc/sys/fs/pipe-max-size): seconds of a busy router's
// lines.
constexpr int kPipeBytes = 1 << 20;
constexpr std::uint64_t kKeptFiles = 4;
// A full disk is not asked more often.
constexpr auto kRetry = 1s;

/// The number of "<n>.log", or 0.
std::uint64_t number_of(const std::filesystem::path& path) {
  std::string stem = path.stem().string();
  std::uint64_t out = 0;
  auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), out);
  bool whole = error == std::errc() && end == stem.data() + stem.size();
  return whole && path.extension() == ".log" ? out : 0;
}

}  // namespace

RequestLog::RequestLog(std::filesystem::path directory, std::uint64_t file_bytes, Pipe pipe)
    : directory_(std::move(directory)), file_bytes_(file_bytes), pipe_(std::move(pipe)) {
  // A smaller pipe is a pity and no more.
  fcntl(pipe_.write.get(), F_SETPIPE_SZ, kPipeBytes);
  std::filesystem::create_directories(directory_);
  std::filesystem::permissions(directory_, std::filesystem::perms::owner_all);
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    next_number_ = std::max(next_number_, number_of(entry.path()) + 1);
  }
}

Json RequestLog::passed() const {
  return Json::object({{"read", pass(pipe_.read)}, {"write", pass(pipe_.write)}});
}

Pipe RequestLog::resume(const Json& passed) { return {take(passed.at("read")), take(passed.at("write"))}; }

void RequestLog::move() {
  for (;;) {
    rotate_if_full();
    if (!file_) open_current();
    if (!file_) return discard();
    ssize_t moved = splice(pipe_.read.get(), nullptr, file_.get(), nullptr, kPipeBytes, SPLICE_F_NONBLOCK);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0 && errno == EAGAIN) return;
    if (moved <= 0) return give_up(errno), discard();
    size_ += static_cast<std::uint64_t>(moved);
    if (!std::exchange(failing_, false)) continue;
    log::warning("serve.requests", "the disk takes request lines again; some are lost",
                 Json::object({{"bytes", discarded_}}));
    discarded_ = 0;
  }
}

void RequestLog::open_current() {
  if (BootClock::now() < try_again_) return;
  file_ = Fd(open((directory_ / "current.log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file_) return give_up(errno);
  // `splice` does not take O_APPEND, and nobody else writes here.
  size_ = static_cast<std::uint64_t>(lseek(file_.get(), 0, SEEK_END));
}

/// Leaves the disk alone for a while. Logged once, until it takes something again.
void RequestLog::give_up(int error) {
  file_.reset();
  try_again_ = BootClock::now() + kRetry;
  if (std::exchange(failing_, true)) return;
  log::error("serve.requests", fmt::format("request lines are thrown away: write {}: {}",
                                           (directory_ / "current.log").string(), std::strerror(error)));
}

void RequestLog::discard() {
  std::array<char, 16 << 10> buffer;
  ssize_t got;
  while ((got = read(pipe_.read.get(), buffer.data(), buffer.size())) > 0) {
    discarded_ += static_cast<std::uint64_t>(got);
  }
}

void RequestLog::rotate_if_full() {
  if (!file_ || size_ < file_bytes_) return;
  char last = 0;
  // A line whose other half is still in the pipe stays whole.
  if (pread(file_.get(), &last, 1, static_cast<off_t>(size_ - 1)) == 1 && last != '\n') return;
  std::error_code error, ignored;
  std::filesystem::rename(directory_ / "current.log", directory_ / fmt::format("{}.log", next_number_),
                          error);
  if (error) return;
  if (next_number_ > kKeptFiles) {
    std::filesystem::remove(directory_ / fmt::format("{}.log", next_number_ - kKeptFiles), ignored);
  }
  ++next_number_;
  file_.reset();
}

}  // namespace holdall::serve
