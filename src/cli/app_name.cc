#include "cli/app_name.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "cli/project.h"

namespace holdall::cli {

std::string app_name(const Globals& globals) {
  if (globals.project_name) return *globals.project_name;
  return identify_project(globals).app;
}

int parse_version(const std::string& text) {
  std::string_view digits = text;
  if (digits.starts_with('v')) digits.remove_prefix(1);
  int number = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 1) {
    throw Error(Error::invalid, fmt::format("'{}' is no release; write it as v3", text));
  }
  return number;
}

}  // namespace holdall::cli
