#include "logs/segments.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "base/error.h"
#include "base/fd.h"

namespace holdall::logs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".log";

/// `stdout.00000000000016777216.log` -> 16777216.
bool parse_name(std::string_view name, std::string_view stream, std::uint64_t& base) {
  if (!name.starts_with(stream) || !name.ends_with(kSuffix)) return false;
  name.remove_prefix(stream.size());
  name.remove_suffix(kSuffix.size());
  if (!name.starts_with('.')) return false;
  name.remove_prefix(1);
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), base);
  return error == std::errc() && end == name.data() + name.size();
}

}  // namespace

fs::path Segment::times() const { return fs::path(path).replace_extension(".times"); }

std::vector<Segment> segments(const fs::path& instance_dir, Stream stream) {
  std::vector<Segment> found;
  std::error_code error;
  for (fs::directory_iterator entry(instance_dir, error), end; !error && entry != end;
       entry.increment(error)) {
    Segment segment{.path = entry->path()};
    std::string name = entry->path().filename();
    if (!parse_name(name, stream == Stream::out ? "stdout" : "stderr", segment.base)) continue;
    std::error_code gone;
    segment.size = entry->file_size(gone);
    if (!gone) found.push_back(std::move(segment));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw_errno(Error::broken, "read " + instance_dir.string(), error.value());
  }
  std::ranges::sort(found, {}, &Segment::base);
  return found;
}

std::string read_at(const std::vector<Segment>& segments, std::uint64_t offset, std::size_t most) {
  std::string bytes;
  for (const Segment& segment : segments) {
    if (segment.end() <= offset) continue;
    if (segment.base > offset || bytes.size() == most) break;
    Fd file(open(segment.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) break;  // removed by retention since it was listed
    std::size_t before = bytes.size();
    std::size_t wanted = std::min<std::uint64_t>(most - before, segment.end() - offset);
    bytes.resize(before + wanted);
    ssize_t size =
        pread(file.get(), bytes.data() + before, wanted, static_cast<off_t>(offset - segment.base));
    if (size < 0) throw_errno(Error::broken, "read " + segment.path.string(), errno);
    bytes.resize(before + static_cast<std::size_t>(size));
    offset += static_cast<std::uint64_t>(size);
  }
  return bytes;
}

}  // namespace holdall::logs
