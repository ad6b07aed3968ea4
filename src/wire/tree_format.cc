#include "wire/tree_format.h"

#include <algorithm>

namespace holdall::wire {
namespace {

/// Cuts the first segment off `rest`.
std::string_view take_segment(std::string_view& rest) {
  std::size_t slash = rest.find('/');
  std::string_view segment = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return segment;
}

}  // namespace

std::string fault_of_path(std::string_view path) {
  if (path.empty()) return "an empty path";
  if (path.size() > kLongestPath) return "a path of over 4095 bytes";
  if (path.find('\0') != path.npos) return "a NUL in a path";
  if (path.front() == '/') return "an absolute path";
  if (path.back() == '/') return "a path that ends in '/'";
  for (std::string_view rest = path; !rest.empty();) {
    std::string_view segment = take_segment(rest);
    if (segment.empty()) return "an empty name in a path";
    if (segment == "." || segment == "..") return "'.' or '..' in a path";
    if (segment.size() > kLongestName) return "a name of over 255 bytes";
  }
  return "";
}

std::string fault_of_link(std::string_view path, std::string_view target) {
  if (target.empty()) return "an empty target";
  if (target.size() > kLongestPath) return "a target of over 4095 bytes";
  if (target.find('\0') != target.npos) return "a NUL in its target";
  if (target.front() == '/') return "an absolute target";
  auto depth = std::count(path.begin(), path.end(), '/');
  bool descended = false;
  for (std::string_view rest = target; !rest.empty();) {
    std::string_view segment = take_segment(rest);
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      descended = true;
    } else if (descended) {
      return "a target with '..' after a name";
    } else if (--depth < 0) {
      return "a target outside the tree";
    }
  }
  return "";
}

}  // namespace holdall::wire
