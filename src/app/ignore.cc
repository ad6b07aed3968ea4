#include "app/ignore.h"

#include <algorithm>
#include <filesystem>

namespace holdall::app {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\v\f";
  std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    std::size_t slash = path.find('/');
    if (slash != 0) segments.push_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return segments;
}

/// `[a-z]` or `[^a-z]` at the front of `pattern`, which is cut off. Nothing matches a class that is not
/// closed.
bool match_class(std::string_view& pattern, char c) {
  std::size_t i = 1;
  bool negated = i < pattern.size() && (pattern[i] == '^' || pattern[i] == '!');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    char low = pattern[i++];
    char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      high = pattern[i + 1];
      i += 2;
    }
    found |= low <= c && c <= high;
  }
  bool closed = i < pattern.size();
  pattern.remove_prefix(closed ? i + 1 : pattern.size());
  return closed && found != negated;
}

/// Takes one element of `pattern` other than `*` and says whether it matches `c`.
bool match_one(std::string_view& pattern, char c) {
  if (pattern[0] == '[') return match_class(pattern, c);
  bool any = pattern[0] == '?';
  if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  bool same = pattern[0] == c;
  pattern.remove_prefix(1);
  return any || same;
}

/// One name against one segment. A failure goes back to the last `*` alone, so time is the product of the two
/// lengths.
bool match_segment(std::string_view pattern, std::string_view text) {
  std::string_view after_star, retry_text;
  bool starred = false;
  while (true) {
    if (pattern.starts_with('*')) {
      while (pattern.starts_with('*')) pattern.remove_prefix(1);
      starred = true;
      after_star = pattern;
      retry_text = text;
      continue;
    }
    if (pattern.empty() && text.empty()) return true;
    std::string_view rest = pattern;
    if (!rest.empty() && !text.empty() && match_one(rest, text[0])) {
      pattern = rest;
      text.remove_prefix(1);
      continue;
    }
    if (!starred || retry_text.empty()) return false;
    retry_text.remove_prefix(1);
    pattern = after_star;
    text = retry_text;
  }
}

}  // namespace

Ignore::Ignore(std::string_view file) {
  if (file.starts_with("\xef\xbb\xbf")) file.remove_prefix(3);
  while (!file.empty()) {
    std::string_view line = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(line.size() + 1, file.size()));
    if (line.starts_with('#')) continue;
    line = trim(line);
    Pattern pattern;
    pattern.keep = line.starts_with('!');
    if (pattern.keep) line = trim(line.substr(1));
    if (line.empty()) continue;
    std::string clean = std::filesystem::path(line).lexically_normal().string();
    for (std::string_view segment : split(clean)) pattern.segments.emplace_back(segment);
    // "." and "/" name the whole context, which no pattern leaves out.
    if (pattern.segments.empty() || pattern.segments[0] == ".") continue;
    patterns_.push_back(std::move(pattern));
  }
}

bool Ignore::match(const Pattern& pattern, const std::vector<std::string_view>& path) {
  // reached[j]: the segments of the pattern so far match the first j of the path.
  std::vector<bool> reached(path.size() + 1);
  reached[0] = true;
  for (const std::string& segment : pattern.segments) {
    std::vector<bool> next(path.size() + 1);
    bool any = false;
    for (std::size_t j = 0; j <= path.size(); ++j) {
      any |= reached[j];
      next[j] = segment == "**" ? any : j > 0 && reached[j - 1] && match_segment(segment, path[j - 1]);
    }
    reached = std::move(next);
  }
  // What matches a directory matches all below it. "**" alone at the end needs something to stand for.
  bool everything_below = pattern.segments.back() == "**";
  for (std::size_t j = 1; j <= path.size(); ++j) {
    if (reached[j] && (!everything_below || j > pattern.segments.size() - 1)) return true;
  }
  return false;
}

bool Ignore::matches(std::string_view path) const {
  std::vector<std::string_view> segments = split(path);
  bool ignored = false;
  for (const Pattern& pattern : patterns_) {
    if (pattern.keep == ignored && match(pattern, segments)) ignored = !pattern.keep;
  }
  return ignored;
}

bool Ignore::may_keep_below(std::string_view directory) const {
  std::vector<std::string_view> above = split(directory);
  for (const Pattern& pattern : patterns_) {
    if (!pattern.keep) continue;
    bool possible = true;
    for (std::size_t i = 0; i < std::min(above.size(), pattern.segments.size()) && possible; ++i) {
      if (pattern.segments[i] == "**") break;
      possible = match_segment(pattern.segments[i], above[i]);
    }
    if (possible) return true;
  }
  return false;
}

}  // namespace holdall::app
