#include "net/body.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace holdall::net {
namespace {

constexpr std::size_t kMostInMemory = 1 << 20;

Fd unlinked_file(const std::string& directory) {
  Fd out(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (out) return out;
  // Not every file system has O_TMPFILE.
  std::string path = directory + "/holdall-body-XXXXXX";
  out = Fd(mkostemp(path.data(), O_CLOEXEC));
  if (!out) throw_errno(Error::busy, fmt::format("keep a request's body in {}", directory), errno);
  unlink(path.c_str());
  return out;
}

}  // namespace

BodyCollector::BodyCollector(const http::Head& head, std::uint64_t largest, std::string spool_dir)
    : chunked_(head.body == http::Body::chunked),
      largest_(largest),
      spool_dir_(std::move(spool_dir)),
      left_(head.body == http::Body::length ? head.length : 0) {
  if (left_ > kMostInMemory && !too_large()) file_ = unlinked_file(spool_dir_);
}

std::size_t BodyCollector::feed(std::string_view bytes) {
  if (!chunked_) {
    auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    keep(bytes.substr(0, taken));
    left_ -= taken;
    return taken;
  }
  std::size_t taken = 0;
  while (!chunks_.done() && taken < bytes.size()) {
    auto step = chunks_.next(bytes.substr(taken));
    if (step.bad) throw Error(Error::invalid, "malformed request: broken chunk");
    keep(step.data);
    taken += step.consumed;
    if (step.consumed == 0) break;
  }
  return taken;
}

bool BodyCollector::done() const { return chunked_ ? chunks_.done() : left_ == 0; }

Fd BodyCollector::take_file() {
  if (file_) lseek(file_.get(), 0, SEEK_SET);
  return std::move(file_);
}

void BodyCollector::keep(std::string_view data) {
  size_ += data.size();
  if (too_large()) return;
  if (!file_ && size_ > kMostInMemory) {
    file_ = unlinked_file(spool_dir_);
    spool(memory_);
    memory_ = {};
  }
  if (file_) {
    spool(data);
  } else {
    memory_.append(data);
  }
}

void BodyCollector::spool(std::string_view data) {
  while (!data.empty()) {
    ssize_t written = write(file_.get(), data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno(Error::busy, fmt::format("keep a request's body in {}", spool_dir_), errno);
    data.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace holdall::net
