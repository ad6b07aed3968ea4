#include "router/request_log.h"

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/json.h"

namespace holdall::router {
namespace {

constexpr std::size_t kBuffer = 64 << 10;
// Long texts are cut so that a line fits into PIPE_BUF; one that is nothing but escapes and does not is
// dropped.
constexpr std::size_t kLongestPath = 1024;
constexpr std::size_t kLongestText = 200;

bool is_plain(char c) {
  auto u = static_cast<unsigned char>(c);
  return u >= 0x20 && u < 0x7f && c != '"' && c != '\\';
}

// With its quotes; nearly every text goes as it is.
void append_string(std::string& out, std::string_view text, std::size_t longest) {
  text = text.substr(0, longest);
  if (std::all_of(text.begin(), text.end(), is_plain)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  std::string quoted = json_quote(text);
  // Escapes are up to 6 times as long. What is still too long is not worth its line.
  out += quoted.size() <= longest + 200 ? quoted : json_quote(text.substr(0, longest / 6));
}

void append_field(std::string& out, std::string_view key, std::string_view value,
                  std::size_t longest = kLongestText) {
  out += ",\"";
  out += key;
  out += "\":";
  append_string(out, value, longest);
}

void append_number(std::string& out, std::string_view key, std::int64_t value) {
  fmt::format_to(std::back_inserter(out), ",\"{}\":{}", key, value);
}

}  // namespace

RequestLog::RequestLog(std::atomic<std::uint64_t>& dropped) : dropped_(dropped) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  intro_ = fmt::format(
      R"(,"Type":"request.summary","Logger":"holdall.router","Hostname":{},"EnvVersion":"2.0","Pid":{})",
      json_quote(host), getpid());
}

void RequestLog::write(const RequestSummary& summary, WallTime now) {
  if (lines_.size() + PIPE_BUF > kBuffer) flush();
  if (pipe_ < 0 || lines_.size() + PIPE_BUF > kBuffer) {
    ++dropped_;
    return;
  }
  if (lines_.capacity() < kBuffer) lines_.reserve(kBuffer);
  std::size_t begin = lines_.size();
  fmt::format_to(std::back_inserter(lines_), R"({{"Timestamp":{})", nanoseconds(now));
  lines_ += intro_;
  fmt::format_to(std::back_inserter(lines_), R"(,"Severity":{},"Fields":{{"errno":{})",
                 summary.failed ? 3 : 6, summary.error_number);
  append_field(lines_, "method", summary.method);
  lines_ += ",\"path\":";
  if (summary.path_prefix.empty()) {
    append_string(lines_, summary.path, kLongestPath);
  } else {
    append_string(lines_, std::string(summary.path_prefix).append(summary.path), kLongestPath);
  }
  append_number(lines_, "code", summary.code);
  append_number(lines_, "t", std::chrono::duration_cast<std::chrono::milliseconds>(summary.took).count());
  append_number(lines_, "bytes", static_cast<std::int64_t>(summary.bytes));
  append_field(lines_, "rid", summary.id);
  append_field(lines_, "host", summary.host);
  append_field(lines_, "agent", summary.agent);
  append_field(lines_, "lang", summary.language);
  if (!summary.pool.empty()) append_field(lines_, "service", summary.pool);
  if (!summary.release.empty()) append_field(lines_, "release", summary.release);
  if (!summary.instance.empty()) append_field(lines_, "instance", summary.instance);
  if (!summary.message.empty()) append_field(lines_, "msg", summary.message);
  lines_ += ",\"remoteAddressChain\":[";
  append_string(lines_, summary.client, kLongestText);
  lines_ += "]}}\n";
  if (lines_.size() - begin > PIPE_BUF) {
    lines_.resize(begin);
    ++dropped_;
  }
}

void RequestLog::flush() {
  std::size_t done = 0;
  while (done < lines_.size() && pipe_ >= 0) {
    std::string_view rest = std::string_view(lines_).substr(done);
    std::string_view part = rest.substr(0, PIPE_BUF);
    part = part.substr(0, part.rfind('\n') + 1);
    ssize_t written = ::write(pipe_, part.data(), part.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) break;
    if (written < 0) {  // nobody reads any more
      dropped_ += static_cast<std::uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
      done = lines_.size();
      break;
    }
    done += part.size();
  }
  lines_.erase(0, done);
}

}  // namespace holdall::router
