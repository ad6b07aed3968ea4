#include "base/secret_template.h"

namespace holdall {
namespace {

bool starts_name(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }

bool is_name(std::string_view text) {
  if (text.empty() || !starts_name(text[0])) return false;
  for (char c : text) {
    if (!starts_name(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

}  // namespace

std::optional<std::vector<TemplatePart>> parse_secret_template(std::string_view text) {
  std::vector<TemplatePart> parts;
  std::string literal;
  auto end_literal = [&] {
    if (!literal.empty()) parts.push_back({std::move(literal), false});
    literal.clear();
  };
  while (!text.empty()) {
    std::size_t dollar = text.find('$');
    literal += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      literal += '$';
      text.remove_prefix(1);
      continue;
    }
    std::size_t close = text.find('}');
    if (!text.starts_with('{') || close == std::string_view::npos || !is_name(text.substr(1, close - 1))) {
      return std::nullopt;
    }
    end_literal();
    parts.push_back({std::string(text.substr(1, close - 1)), true});
    text.remove_prefix(close + 1);
  }
  end_literal();
  return parts;
}

}  // namespace holdall
