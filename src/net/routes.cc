#include "net/routes.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"

namespace holdall::net {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The next segment of a path that begins with '/', which is then cut off.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

/// All that is left of a path, decoded; nothing if a slash would change its meaning.
std::optional<std::string> join_segments(std::string_view path) {
  std::string out;
  while (path.starts_with('/')) {
    std::string segment = percent_decode(take_segment(path));
    if (segment.find('/') != std::string::npos) return std::nullopt;
    out += (out.empty() ? "" : "/") + segment;
    if (path.empty() || segment.empty()) break;
  }
  return path.empty() ? std::optional(out) : std::nullopt;
}

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> parameters;
  while (pattern.starts_with('/') && path.starts_with('/')) {
    std::string_view wanted = take_segment(pattern);
    if (wanted == "**") {
      auto rest = join_segments(path);
      if (!rest) return std::nullopt;
      parameters.push_back(std::move(*rest));
      return parameters;
    }
    std::string found = percent_decode(take_segment(path));
    if (wanted == "*" && !found.empty()) {
      parameters.push_back(std::move(found));
    } else if (wanted != found) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return parameters;
}

}  // namespace

std::string percent_decode(std::string_view text, bool plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus) c = ' ';
    if (c == '%') {
      int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0 || high + low == 0) {
        throw Error(Error::invalid, fmt::format("'{}' has a broken percent escape", text));
      }
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    out += c;
  }
  return out;
}

Match find_route(const std::vector<Route>& routes, std::string_view method, std::string_view path) {
  Match out;
  std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route& route : routes) {
    auto parameters = match(route.pattern, path);
    if (!parameters) continue;
    if (route.method == wanted) {
      out.route = &route;
      out.parameters = std::move(*parameters);
      return out;
    }
    if (!out.allow.empty()) out.allow += ", ";
    out.allow += route.method;
    if (route.method == "GET") out.allow += ", HEAD";
  }
  return out;
}

}  // namespace holdall::net
