#include "engine/shim/segments.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace holdall::engine {
namespace {

constexpr std::int64_t kSegmentBytes = 16 << 20;  // retention deletes whole segments
constexpr std::int64_t kMarkEvery = 1'000'000;    // ns: as fine as people read, and 16 kB/s of marks at most
constexpr std::int64_t kRetryAfter =
    1'000'000'000;  // ns: a full disk is asked again once a second, not once a line

struct Mark {
  std::uint64_t offset, realtime_ns;
};
struct Loss {
  std::uint64_t offset, bytes, realtime_ns;
};

std::int64_t realtime() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

int open_beside(int directory, const char* stream, std::uint64_t base, const char* suffix) {
  char name[64];
  std::snprintf(name, sizeof name, "%s.%020llu.%s", stream, static_cast<unsigned long long>(base), suffix);
  return openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
}

}  // namespace

Segments::~Segments() { close_segment(); }

bool Segments::resume() {
  int listed = openat(directory_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* entries = listed < 0 ? nullptr : fdopendir(listed);
  if (!entries) return false;
  std::size_t length = std::strlen(stream_);
  bool found = false;
  while (dirent* entry = readdir(entries)) {
    const char* name = entry->d_name;
    if (std::strncmp(name, stream_, length) != 0 || name[length] != '.') continue;
    char* end;
    std::uint64_t base = std::strtoull(name + length + 1, &end, 10);
    if (std::strcmp(end, ".log") != 0) continue;
    if (!found || base > base_) base_ = base;
    found = true;
  }
  closedir(entries);
  if (!found) return true;
  char name[64];
  std::snprintf(name, sizeof name, "%s.%020llu.log", stream_, static_cast<unsigned long long>(base_));
  struct stat info;
  if (fstatat(directory_, name, &info, 0) != 0) return false;
  position_ = info.st_size;
  return true;
}

Segments::Moved Segments::move(int pipe) {
  if (retry_at_ != 0 && realtime() < retry_at_) return discard(pipe);
  if (position_ >= kSegmentBytes) {
    base_ += static_cast<std::uint64_t>(position_);
    position_ = 0;
    close_segment();
  }
  if (segment_ < 0) {
    // A stream that says nothing leaves no file.
    pollfd ready{pipe, POLLIN, 0};
    if (poll(&ready, 1, 0) >= 0 && !(ready.revents & POLLIN))
      return ready.revents ? Moved::end : Moved::nothing;
    if (!open_segment()) return discard(pipe);
  }
  note_lost();
  mark();
  loff_t at = position_;
  ssize_t moved = splice(pipe, nullptr, segment_, &at, static_cast<std::size_t>(kSegmentBytes - position_),
                         SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (moved > 0) {
    position_ += moved;
    retry_at_ = 0;
    return Moved::some;
  }
  if (moved == 0) return Moved::end;
  if (errno == EAGAIN || errno == EINTR) return Moved::nothing;
  return discard(pipe);
}

bool Segments::flush() {
  note_lost();
  return (segment_ < 0 || fdatasync(segment_) == 0) && (times_ < 0 || fdatasync(times_) == 0);
}

bool Segments::open_segment() {
  segment_ = open_beside(directory_, stream_, base_, "log");
  times_ = open_beside(directory_, stream_, base_, "times");
  last_mark_ = 0;
  struct stat info;
  constexpr auto size = static_cast<std::int64_t>(sizeof(Mark));
  marks_ = times_ >= 0 && fstat(times_, &info) == 0 ? info.st_size / size * size : 0;
  return segment_ >= 0;
}

void Segments::close_segment() {
  if (segment_ >= 0) {
    fdatasync(segment_);
    close(segment_);
  }
  if (times_ >= 0) close(times_);
  segment_ = times_ = -1;
}

/// Before the bytes, so that no byte is without a time. A mark that could not be written is not missed: the
/// one before it holds.
void Segments::mark() {
  std::int64_t now = realtime();
  if (times_ < 0 || (now >= last_mark_ && now - last_mark_ < kMarkEvery)) return;
  Mark mark{offset(), static_cast<std::uint64_t>(now)};
  if (pwrite(times_, &mark, sizeof mark, marks_) != static_cast<ssize_t>(sizeof mark)) return;
  marks_ += static_cast<std::int64_t>(sizeof mark);
  last_mark_ = now;
}

Segments::Moved Segments::discard(int pipe) {
  if (retry_at_ == 0 || realtime() >= retry_at_) retry_at_ = realtime() + kRetryAfter;
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  ssize_t moved = splice(pipe, nullptr, nowhere, nullptr, 1 << 20, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  int error = errno;
  close(nowhere);
  if (moved > 0) {
    lost_ += static_cast<std::uint64_t>(moved);
    return Moved::some;
  }
  if (moved == 0) return Moved::end;
  errno = error;
  return Moved::nothing;
}

void Segments::note_lost() {
  if (lost_ == 0) return;
  char name[64];
  std::snprintf(name, sizeof name, "%s.lost", stream_);
  int file = openat(directory_, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  Loss loss{offset(), lost_, static_cast<std::uint64_t>(realtime())};
  if (file >= 0 && write(file, &loss, sizeof loss) == static_cast<ssize_t>(sizeof loss)) lost_ = 0;
  if (file >= 0) close(file);
}

}  // namespace holdall::engine
