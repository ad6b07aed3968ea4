#include "kit/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"

namespace holdall::kit {
namespace {

using namespace std::chrono_literals;

/// The variable's value, else the default; nothing, and a problem, when there is neither.
std::optional<std::string> given(const SettingRow& row, std::vector<Problem>& problems) {
  const char* value = std::getenv(std::string(row.name).c_str());
  if (value && *value) return value;
  if (row.fallback) return std::string(*row.fallback);
  problems.push_back({{std::string(row.name)}, fmt::format("is not set: {}", row.help), ""});
  return std::nullopt;
}

/// Reads what `parse` makes of the value; nothing of it: the value is no `wanted`.
template <typename T, typename Parse>
void read_as(const SettingRow& row, T& out, std::vector<Problem>& problems, std::string_view wanted,
             Parse parse) {
  auto text = given(row, problems);
  if (!text) return;
  if (auto value = parse(*text)) {
    out = *value;
  } else {
    problems.push_back(
        {{std::string(row.name)}, fmt::format("'{}' is no {}: {}", *text, wanted, row.help), ""});
  }
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_span(std::string_view text) {
  std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  auto count = parse_integer(text.substr(0, digits));
  std::string_view unit = text.substr(digits);
  constexpr std::array<std::pair<std::string_view, std::chrono::milliseconds>, 4> kUnits{
      {{"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}}};
  for (auto [name, length] : kUnits) {
    bool fits = count && *count <= std::chrono::milliseconds::max() / length;
    if (name == unit && fits) return *count * length;
  }
  return std::nullopt;
}

/// Where Docker, and Holdall where a service has a user of its own, puts secrets; elsewhere Holdall names the
/// place.
std::filesystem::path secrets_directory() {
  const char* named = std::getenv("HOLDALL_SECRETS");
  return named && *named ? named : "/run/secrets";
}

std::optional<Secret> find_secret(std::string_view name) {
  // A name with a slash would be another file.
  if (name.find('/') == std::string_view::npos && !name.starts_with('.')) {
    if (auto content = read_file_if_exists(secrets_directory() / name)) {
      return Secret::taken_from(*content);
    }
  }
  const char* value = std::getenv(std::string(name).c_str());
  return value && *value ? std::optional(Secret(value)) : std::nullopt;
}

std::string where_secrets_are(std::string_view name) {
  return fmt::format("give it as the file {} or as the variable {}", (secrets_directory() / name).string(),
                     name);
}

}  // namespace

Secret secret(std::string_view name) {
  auto found = find_secret(name);
  if (!found) throw Error(Error::missing, fmt::format("secret {}: {}", name, where_secrets_are(name)));
  return std::move(*found);
}

void read_setting(const SettingRow& row, std::string& out, std::vector<Problem>& problems) {
  if (auto text = given(row, problems)) out = std::move(*text);
}

void read_setting(const SettingRow& row, std::int64_t& out, std::vector<Problem>& problems) {
  read_as(row, out, problems, "whole number", parse_integer);
}

void read_setting(const SettingRow& row, bool& out, std::vector<Problem>& problems) {
  read_as(row, out, problems, "true or false", parse_bool);
}

void read_setting(const SettingRow& row, std::chrono::milliseconds& out, std::vector<Problem>& problems) {
  read_as(row, out, problems, "span like 250ms, 10s, 2m or 1h", parse_span);
}

void read_setting(const SettingRow& row, net::Url& out, std::vector<Problem>& problems) {
  auto text = given(row, problems);
  if (!text) return;
  try {
    out = net::parse_url(*text);
  } catch (const Error& error) {
    problems.push_back({{std::string(row.name)}, fmt::format("{}: {}", error.what(), row.help), ""});
  }
}

void read_setting(const SettingRow& row, Secret& out, std::vector<Problem>& problems) {
  try {
    if (auto value = find_secret(row.name)) {
      out = std::move(*value);
    } else if (row.fallback) {
      out = Secret(*row.fallback);
    } else {
      problems.push_back(
          {{std::string(row.name)}, fmt::format("is not set: {}", row.help), where_secrets_are(row.name)});
    }
  } catch (const Error& error) {  // its file may not be read
    problems.push_back({{std::string(row.name)}, error.what(), ""});
  }
}

std::string_view setting_type(std::size_t index) {
  constexpr std::array<std::string_view, 6> kTypes{"text", "integer", "true/false", "span", "url", "secret"};
  return kTypes.at(index);
}

std::string describe(std::span<const SettingRow> rows) {
  std::string out;
  for (const SettingRow& row : rows) {
    std::string facts(row.type);
    if (!row.fallback) facts += ", required";
    if (row.fallback && !row.fallback->empty() && row.type != "secret")
      facts += fmt::format(", {}", *row.fallback);
    fmt::format_to(std::back_inserter(out), "  {:<24} {:<24} {}\n", row.name, facts, row.help);
  }
  return out;
}

}  // namespace holdall::kit
