#include "app/scalars.h"

#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "app/schema.h"

namespace holdall::app {
namespace {

using Kind = Node::Kind;

template <typename Number>
std::optional<Number> parse(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void typed(Node& node, const Schema& at, const std::string& path, Findings& findings) {
  if (node.is(Kind::string)) {
    if (!at.shape || !at.shape->rules.typed) return;
    switch (at.shape->as) {
      case As::flag:
      case As::flag_kept: make_flag(node, path, findings); break;
      case As::real: make_real(node, path, findings); break;
      default: make_whole(node, path, findings);
    }
    return;
  }
  if (at.any && node.is(Kind::sequence)) {
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      // An item that is a text has a short form of its own.
      if (!node.items[i].is_scalar()) typed(node.items[i], *at.any, join(path, std::to_string(i)), findings);
    }
  }
  for (Node::Member& member : node.members) {
    if (const Schema* below = at.below(member.key))
      typed(member.value, *below, join(path, member.key), findings);
  }
}

}  // namespace

std::string join(const std::string& path, std::string_view key) {
  if (path.empty()) return std::string(key);
  std::string joined;
  joined.reserve(path.size() + 1 + key.size());
  return joined.append(path).append(1, '.').append(key);
}

bool make_flag(Node& node, const std::string& path, Findings& findings) {
  if (!node.is(Kind::string)) return true;
  std::string lower;
  for (char c : node.text) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  const bool yes = lower == "true" || lower == "y" || lower == "yes" || lower == "on";
  const bool no = lower == "false" || lower == "n" || lower == "no" || lower == "off";
  if (!yes && !no) {
    findings.misshape(node.where, fmt::format("{} must be true or false, and this is '{}'", path, node.text));
  } else if (lower != "true" && lower != "false") {
    findings.warn(node.where, fmt::format("{}: '{}' is no boolean of YAML", path, node.text),
                  fmt::format("write {}", yes));
  }
  node = Node::of(yes, node.where);
  return yes || no;
}

bool make_whole(Node& node, const std::string& path, Findings& findings) {
  if (!node.is(Kind::string)) return true;
  const auto value = parse<std::int64_t>(node.text);
  if (!value) {
    findings.misshape(node.where, fmt::format("{} must be an integer, and this is '{}'", path, node.text));
  }
  node = Node::of(value.value_or(0), node.where);
  return value.has_value();
}

bool make_real(Node& node, const std::string& path, Findings& findings) {
  if (!node.is(Kind::string)) return true;
  const auto value = parse<double>(node.text);
  if (!value)
    findings.misshape(node.where, fmt::format("{} must be a number, and this is '{}'", path, node.text));
  Where where = node.where;
  std::string text = node.text;
  node = Node::of(std::int64_t{0}, std::move(where));
  node.kind = Kind::real;
  node.text = std::move(text);
  node.real = value.value_or(0);
  return value.has_value();
}

void make_typed(Node& root, Findings& findings) { typed(root, schema(), "", findings); }

}  // namespace holdall::app
