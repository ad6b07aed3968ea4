#include "logs/logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "logs/segments.h"
#include "logs/stream_reader.h"

namespace holdall::logs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBackwards = 64 << 10;

std::uint64_t end_of(const std::vector<Segment>& segments) {
  return segments.empty() ? 0 : segments.back().end();
}

/// The offset at which the last `count` lines begin; a last line without newline counts as one.
std::uint64_t start_of_last(const std::vector<Segment>& segments, std::size_t count) {
  if (segments.empty()) return 0;
  std::uint64_t first = segments.front().base, end = end_of(segments), at = end;
  if (count == 0) return end;
  while (at > first) {
    std::uint64_t from = at - std::min<std::uint64_t>(kBackwards, at - first);
    std::string block = read_at(segments, from, at - from);
    for (std::size_t i = block.size(); i-- > 0;) {
      // The newline at the very end ends the last line; it begins none.
      if (block[i] == '\n' && from + i + 1 != end && --count == 0) return from + i + 1;
    }
    at = from;
  }
  return first;
}

/// After the last newline.
std::uint64_t end_of_lines(const std::vector<Segment>& segments) {
  if (segments.empty()) return 0;
  std::uint64_t first = segments.front().base;
  for (std::uint64_t at = end_of(segments); at > first;) {
    std::uint64_t from = at - std::min<std::uint64_t>(kBackwards, at - first);
    std::size_t newline = read_at(segments, from, at - from).rfind('\n');
    if (newline != std::string::npos) return from + newline + 1;
    at = from;
  }
  return first;
}

}  // namespace

fs::path instance_dir(const fs::path& logs, const std::string& app, const std::string& service, int slot,
                      const InstanceId& id) {
  return logs / app / fmt::format("{}.{}", service, slot) / id.value;
}

Reader::Reader(const fs::path& instance_dir, Cursor from)
    : out_(std::make_unique<StreamReader>(instance_dir, Stream::out, from.out)),
      err_(std::make_unique<StreamReader>(instance_dir, Stream::err, from.err)) {}

Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

std::vector<Line> Reader::next(std::size_t most, bool ended) {
  out_->look();
  err_->look();
  std::vector<Line> lines;
  while (lines.size() < most) {
    const Line* out = out_->peek(ended);
    const Line* err = err_->peek(ended);
    if (!out && !err) break;
    bool from_err = !out || (err && err->time < out->time);
    lines.push_back(from_err ? *err : *out);
    (from_err ? err_ : out_)->take();
  }
  return lines;
}

Cursor Reader::cursor() const { return {out_->offset(), err_->offset()}; }

std::uint64_t Reader::dropped() const { return out_->dropped() + err_->dropped(); }

std::vector<Line> tail(const fs::path& instance_dir, std::size_t count) {
  Cursor from{start_of_last(segments(instance_dir, Stream::out), count),
              start_of_last(segments(instance_dir, Stream::err), count)};
  std::vector<Line> lines = Reader(instance_dir, from).next(2 * count, true);
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return lines;
}

Cursor end(const fs::path& instance_dir) {
  return {end_of_lines(segments(instance_dir, Stream::out)),
          end_of_lines(segments(instance_dir, Stream::err))};
}

std::vector<InstanceLog> list(const fs::path& logs, const std::string& app) {
  std::vector<InstanceLog> found;
  std::error_code error;
  for (const fs::directory_entry& place : fs::directory_iterator(logs / app, error)) {
    std::string name = place.path().filename();
    std::size_t dot = name.rfind('.');
    int slot = 0;
    if (dot == std::string::npos) continue;
    auto [end, bad] = std::from_chars(name.data() + dot + 1, name.data() + name.size(), slot);
    if (bad != std::errc() || end != name.data() + name.size()) continue;
    for (const fs::directory_entry& instance : fs::directory_iterator(place.path(), error)) {
      if (fs::is_empty(instance.path(), error) || error) continue;
      found.push_back({name.substr(0, dot), slot, {instance.path().filename()}, instance.path()});
    }
  }
  std::ranges::sort(found, {}, [](const InstanceLog& log) { return log.id; });
  return found;
}

void retain(const fs::path& instance_dir, std::uint64_t bytes) {
  for (Stream stream : {Stream::out, Stream::err}) {
    std::vector<Segment> all = segments(instance_dir, stream);
    std::uint64_t total = 0;
    for (const Segment& segment : all) total += segment.size;
    for (std::size_t oldest = 0; oldest + 1 < all.size() && total > bytes; ++oldest) {
      std::error_code gone;
      fs::remove(all[oldest].times(), gone);
      fs::remove(all[oldest].path, gone);
      total -= all[oldest].size;
    }
  }
}

}  // namespace holdall::logs
