#include "logs/stream_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/fd.h"

namespace holdall::logs {
namespace {

constexpr std::size_t kBlock = 256 << 10;
constexpr std::size_t kLongestLine = 1 << 20;

}  // namespace

const Line* StreamReader::peek(bool ended) {
  while (!line_) {
    std::size_t from = std::max(begin_, searched_);
    std::size_t newline = buffer_.find('\n', from);
    // A longer line comes in pieces, wherever its newline is.
    std::size_t longest = begin_ + kLongestLine;
    if (newline != std::string::npos && newline <= longest) {
      cut(newline - begin_, 1, false);
    } else if (buffer_.size() >= longest && buffer_.size() > begin_) {
      cut(kLongestLine, 0, true);
    } else {
      searched_ = buffer_.size();
      if (read_more()) continue;
      if (!ended || begin_ == buffer_.size()) return nullptr;
      cut(buffer_.size() - begin_, 0, true);
    }
  }
  return &*line_;
}

void StreamReader::cut(std::size_t size, std::size_t newline, bool partial) {
  line_ = Line{stream_, time_of(offset_), offset_, buffer_.substr(begin_, size), partial};
  line_bytes_ = size + newline;
}

void StreamReader::take() {
  begin_ += line_bytes_;
  offset_ += line_bytes_;
  searched_ = begin_;
  line_.reset();
}

/// False if nothing more is there now.
bool StreamReader::read_more() {
  if (looked_) return false;
  buffer_.erase(0, begin_);
  searched_ -= std::min(searched_, begin_);
  begin_ = 0;

  std::vector<Segment> there = segments(dir_, stream_);
  std::uint64_t next = offset_ + buffer_.size();
  if (!there.empty() && next < there.front().base) {
    // What was read of a line whose end is gone is no line.
    dropped_ += there.front().base - offset_;
    offset_ = next = there.front().base;
    buffer_.clear();
    searched_ = 0;
  }
  std::string more = read_at(there, next, kBlock);
  looked_ = more.empty();
  // After the bytes: a mark is written before them, so that those of these bytes are there now.
  for (const Segment& segment : there) {
    bool read_from =
        segment.base < next + more.size() && (segment.end() > next || segment.base == marks_segment_);
    if (read_from && segment.base >= marks_segment_) read_marks(segment);
  }
  buffer_ += more;
  return !more.empty();
}

void StreamReader::read_marks(const Segment& segment) {
  if (segment.base != marks_segment_) {
    marks_segment_ = segment.base;
    marks_read_ = 0;
  }
  Fd file(open(segment.times().c_str(), O_RDONLY | O_CLOEXEC));
  std::array<Mark, 1024> block;
  for (;;) {
    ssize_t size = file ? pread(file.get(), block.data(), sizeof block, static_cast<off_t>(marks_read_)) : 0;
    auto count = size > 0 ? static_cast<std::size_t>(size) / sizeof(Mark) : 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (marks_.size() > 1 && marks_[1].offset <= offset_) marks_.pop_front();
      marks_.push_back(block[i]);
    }
    marks_read_ += count * sizeof(Mark);
    if (count < block.size()) break;
  }
  struct stat info;
  if (marks_.empty() && stat(segment.path.c_str(), &info) == 0) {
    // The disk had no room for times; when it was written last is the best that is known.
    marks_.push_back({segment.base, static_cast<std::uint64_t>(info.st_mtim.tv_sec) * 1'000'000'000U});
  }
}

WallTime StreamReader::time_of(std::uint64_t offset) {
  while (marks_.size() > 1 && marks_[1].offset <= offset) marks_.pop_front();
  return wall_time(marks_.empty() ? 0 : static_cast<std::int64_t>(marks_.front().realtime_ns));
}

}  // namespace holdall::logs
