#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <map>
#include <tuple>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "kit/web.h"

namespace holdall::kit {
namespace {

// Read into memory; what is larger is sent piece by piece.
constexpr std::uint64_t kSmall = 256 << 10;
constexpr std::size_t kPiece = 64 << 10;

std::string_view type_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kTypes{{
      {"html", "text/html; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},
      {"js", "text/javascript; charset=utf-8"},
      {"mjs", "text/javascript; charset=utf-8"},
      {"json", "application/json"},
      {"map", "application/json"},
      {"txt", "text/plain; charset=utf-8"},
      {"md", "text/markdown; charset=utf-8"},
      {"xml", "application/xml"},
      {"svg", "image/svg+xml"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"gif", "image/gif"},
      {"webp", "image/webp"},
      {"ico", "image/x-icon"},
      {"woff2", "font/woff2"},
      {"woff", "font/woff"},
      {"pdf", "application/pdf"},
      {"wasm", "application/wasm"},
  }};
  std::size_t dot = name.rfind('.');
  std::string_view extension = dot == std::string_view::npos ? "" : name.substr(dot + 1);
  for (const auto& [known, type] : kTypes) {
    if (net::http::equals_ignoring_case(known, extension)) return type;
  }
  return "application/octet-stream";
}

std::string http_date(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char out[64];
  // The C locale, which a service that sets none has, writes the names that HTTP wants.
  return {out, std::strftime(out, sizeof out, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::string read_range(const Fd& file, std::uint64_t begin, std::uint64_t size) {
  std::string out(size, '\0');
  std::size_t used = 0;
  while (used < out.size()) {
    ssize_t got = pread(file.get(), out.data() + used, out.size() - used, static_cast<off_t>(begin + used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno(Error::broken, "read a static file", errno);
    if (got == 0) break;  // it has become shorter
    used += static_cast<std::size_t>(got);
  }
  out.resize(used);
  return out;
}

class FileSource final : public net::StreamSource {
 public:
  FileSource(Fd file, std::uint64_t begin, std::uint64_t size)
      : file_(std::move(file)), at_(begin), left_(size) {}
  void start(std::function<void()>) override {}
  std::optional<std::string> next() override {
    std::string piece = read_range(file_, at_, std::min<std::uint64_t>(left_, kPiece));
    if (piece.empty()) return std::nullopt;
    at_ += piece.size();
    left_ -= piece.size();
    return piece;
  }

 private:
  const Fd file_;
  std::uint64_t at_, left_;
};

struct Range {
  std::uint64_t begin = 0, size = 0;
};

/// One range of "bytes=..." (RFC 9110, 14.1.2): nothing when the header is to be ignored; size 0 when it
/// cannot be satisfied.
std::optional<Range> parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  auto number = [](std::string_view text) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool whole = !text.empty() && error == std::errc() && end == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
  };
  std::string_view first_text = header.substr(0, dash), last_text = header.substr(dash + 1);
  auto first = number(first_text), last = number(last_text);
  if (first_text.empty() && last) {
    std::uint64_t length = std::min(*last, size);
    return Range{size - length, length};
  }
  if (!first || (!last && !last_text.empty()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return Range{};
  return Range{*first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
}

/// Whether an If-None-Match names this tag.
bool names(std::string_view header, std::string_view etag) {
  return header == "*" || header.find(etag) != std::string_view::npos;
}

class Directory {
 public:
  explicit Directory(const std::string& path) : root_(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (!root_)
      throw_errno(Error::missing, fmt::format("open the directory of static files {}", path), errno);
  }

  net::Response answer(const net::Request& request);

 private:
  using Version = std::tuple<dev_t, ino_t, off_t, std::int64_t>;  ///< the last: its ctime, which nobody sets

  Fd open_file(std::string_view path, std::string& name) const;
  std::string etag(const Fd& file, const struct stat& info);

  const Fd root_;
  Guarded<std::map<Version, std::string>> etags_;
};

/// The file, segment by segment and through no link; its own name too. None: it is not there, or hidden.
Fd Directory::open_file(std::string_view path, std::string& name) const {
  Fd at = root_.duplicate();
  bool wants_directory = path.empty() || path.ends_with('/');
  while (!path.empty()) {
    name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    bool hidden = name.empty() || name.front() == '.' || name.find('\0') != std::string::npos;
    if (hidden) return {};
    at = Fd(openat(at.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!at) return {};
  }
  if (wants_directory) {
    name = "index.html";
    at = Fd(openat(at.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!at) return {};
  }
  // Only now is it opened, once it is known to be no pipe or device, whose opening alone does something.
  struct stat info{};
  if (fstat(at.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  return Fd(open(fmt::format("/proc/self/fd/{}", at.get()).c_str(), O_RDONLY | O_CLOEXEC));
}

/// Of the content, as a release's files may all have one and the same time. It is read once a version.
std::string Directory::etag(const Fd& file, const struct stat& info) {
  constexpr std::size_t kMostKept = 10'000;
  constexpr std::int64_t kSecond = 1'000'000'000;
  Version version{info.st_dev, info.st_ino, info.st_size,
                  info.st_ctim.tv_sec * kSecond + info.st_ctim.tv_nsec};
  if (auto known = etags_.lock(); known->contains(version)) return known->at(version);
  Sha256 hash;
  auto size = static_cast<std::uint64_t>(info.st_size);
  for (std::uint64_t at = 0; at < size;) {
    std::string piece = read_range(file, at, std::min<std::uint64_t>(size - at, kPiece));
    if (piece.empty()) break;
    hash.update(piece);
    at += piece.size();
  }
  constexpr std::size_t kPrefix = 7, kDigits = 32;  // "sha256:", and enough of what follows
  std::string out = fmt::format("\"{}\"", hash.finish().value.substr(kPrefix, kDigits));
  auto known = etags_.lock();
  if (known->size() >= kMostKept) known->clear();
  known->emplace(version, out);
  return out;
}

net::Response Directory::answer(const net::Request& request) {
  std::string name;
  Fd file = open_file(request.parameters.at(0), name);
  if (!file) throw Error(Error::missing, fmt::format("nothing is at {}", request.path));
  struct stat info{};
  checked(fstat(file.get(), &info), "ask for the size of a static file");
  auto size = static_cast<std::uint64_t>(info.st_size);
  std::string tag = etag(file, info), changed = http_date(info.st_mtim.tv_sec);

  net::Response out;
  out.content_type = type_of(name);
  out.headers = {{"ETag", tag},
                 {"Last-Modified", changed},
                 {"Accept-Ranges", "bytes"},
                 {"X-Content-Type-Options", "nosniff"}};
  std::string_view none_match = request.header("If-None-Match");
  bool same = none_match.empty() ? request.header("If-Modified-Since") == changed : names(none_match, tag);
  if (same) {
    out.status = 304;
    return out;
  }
  Range range{0, size};
  std::string_view condition = request.header("If-Range");
  bool may_be_part = condition.empty() || condition == tag || condition == changed;
  if (auto part = may_be_part ? parse_range(request.header("Range"), size) : std::nullopt) {
    if (part->size == 0) {
      out.status = 416;
      out.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
      return out;
    }
    range = *part;
    out.status = 206;
    out.headers.emplace_back("Content-Range",
                             fmt::format("bytes {}-{}/{}", range.begin, range.begin + range.size - 1, size));
  }
  if (range.size <= kSmall) {
    out.body = read_range(file, range.begin, range.size);
  } else {
    out.length = range.size;
    out.stream = std::make_unique<FileSource>(std::move(file), range.begin, range.size);
  }
  return out;
}

}  // namespace

net::Route static_files(std::string_view prefix, const std::string& directory) {
  auto files = std::make_shared<Directory>(directory);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return {"GET", fmt::format("{}/**", prefix),
          [files](net::Request& request) { return files->answer(request); }};
}

}  // namespace holdall::kit
