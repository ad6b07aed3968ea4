#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdall {

/// A part of a template: text as it stands, or the name of a secret whose value stands there.
struct TemplatePart {
  std::string text;
  bool is_secret = false;
  bool operator==(const TemplatePart&) const = default;
};

/// How a value that holds secrets is kept before they are opened: `postgres://app:${DB_PASSWORD}@db`, where
/// `$$` is a dollar sign and `${NAME}` the value of a secret. It is what Compose reads in a file, and less:
/// no
/// `$NAME`, no defaults. Text parts are not empty. Nothing for anything else.
std::optional<std::vector<TemplatePart>> parse_secret_template(std::string_view text);

}  // namespace holdall
