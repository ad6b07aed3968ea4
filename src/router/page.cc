#include "router/page.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace holdall::router {
namespace {

// Nobody knows how long it takes; who comes back this often is no burden.
constexpr int kRetryAfter = 30;

constexpr std::string_view kHtml = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Down for maintenance</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}</style>
<h1>Down for maintenance</h1>
<p>This service is being worked on and will be back soon. Please try again in a moment.</p>
</html>
)";
constexpr std::string_view kJson = R"({"error":{"kind":"busy","message":"down for maintenance"}}
)";
constexpr std::string_view kText = "down for maintenance\n";

constexpr std::array<Page, 3> kPages{{
    {"text/plain; charset=utf-8", kText, kRetryAfter},
    {"text/html; charset=utf-8", kHtml, kRetryAfter},
    {"application/json", kJson, kRetryAfter},
}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Cut off at `separator`, which goes; the rest stays in `text`.
std::string_view next(std::string_view& text, std::string_view separator) {
  const std::size_t at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + separator.size());
  return part;
}

/// The weight of a range like `text/html;q=0.8`, in thousandths, and the range without it.
int take_weight(std::string_view& range) {
  std::string_view parameters = range;
  range = trimmed(next(parameters, ";"));
  double weight = 1;
  while (!parameters.empty()) {
    std::string_view parameter = trimmed(next(parameters, ";"));
    if (parameter.starts_with("q=")) {
      parameter.remove_prefix(2);
      std::from_chars(parameter.data(), parameter.data() + parameter.size(), weight);
    }
  }
  return static_cast<int>(std::clamp(weight, 0.0, 1.0) * 1000);
}

/// How much an Accept header wants this type: the most exact range that it falls under counts.
int weight_of(std::string_view accept, std::string_view type) {
  const std::string_view major = type.substr(0, type.find('/') + 1);
  int weight = 0, exactness = 0;
  while (!accept.empty()) {
    std::string_view range = next(accept, ",");
    const int here = take_weight(range);
    const int exact = same(range, type)                                                     ? 3
                      : range.ends_with("/*") && same(range.substr(0, major.size()), major) ? 2
                      : range == "*/*"                                                      ? 1
                                                                                            : 0;
    if (exact > exactness) {
      exactness = exact;
      weight = here;
    }
  }
  return weight;
}

}  // namespace

Page maintenance_page(std::string_view accept) {
  const Page* best = kPages.data();
  int most = 0;
  for (const Page& page : kPages) {
    const int weight = weight_of(accept, page.type.substr(0, page.type.find(';')));
    if (weight <= most) continue;
    most = weight;
    best = &page;
  }
  return *best;
}

std::string_view header_in(std::string_view head, std::string_view name) {
  next(head, "\r\n");
  while (!head.empty()) {
    std::string_view line = next(head, "\r\n");
    const std::string_view key = next(line, ":");
    if (same(key, name)) return trimmed(line);
  }
  return {};
}

}  // namespace holdall::router
