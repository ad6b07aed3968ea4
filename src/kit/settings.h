#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "net/url.h"

namespace holdall::kit {

/// In place of a setting's default: it has to be given.
inline constexpr std::nullopt_t required = std::nullopt;

/// A row of a settings table: the environment variable that fills a member of T. Its type is the member's:
///
///     std::string                text, as it is
///     std::int64_t               "8000"
///     bool                       "true", "false", "1", "0"
///     std::chrono::milliseconds  "250ms", "10s", "2m", "1h"
///     net::Url                   "https://api.example.com/1"
///     Secret                     as `secret` below reads it; never printed
///
/// A variable that is empty counts as not given, as Compose passes those that are not set.
template <typename T>
struct Setting {
  std::string_view name;  ///< "DATABASE"
  std::variant<std::string T::*, std::int64_t T::*, bool T::*, std::chrono::milliseconds T::*, net::Url T::*,
               Secret T::*>
      member;
  std::optional<std::string_view> fallback;  ///< written as a value of it would be; or kit::required
  std::string_view help;                     ///< what it is for: "path of the SQLite database"
};

/// The value of a secret: the content of the file NAME in $HOLDALL_SECRETS, or without that in /run/secrets,
/// byte by byte; if there is no such file, of the variable NAME. Throws `missing` when there is neither,
/// `denied` when the file may not be read. Thread-safe.
Secret secret(std::string_view name);

/// What is known of a setting without its type.
struct SettingRow {
  std::string_view name;
  std::optional<std::string_view> fallback;
  std::string_view help;
  std::string_view type = {};  ///< "text", "integer", ...; filled by `setting_type`
};

// Each reads one variable. What is missing or wrong is added to `problems`, and the value left as it was.
void read_setting(const SettingRow& row, std::string& out, std::vector<Problem>& problems);
void read_setting(const SettingRow& row, std::int64_t& out, std::vector<Problem>& problems);
void read_setting(const SettingRow& row, bool& out, std::vector<Problem>& problems);
void read_setting(const SettingRow& row, std::chrono::milliseconds& out, std::vector<Problem>& problems);
void read_setting(const SettingRow& row, net::Url& out, std::vector<Problem>& problems);
void read_setting(const SettingRow& row, Secret& out, std::vector<Problem>& problems);

/// All settings of a table at once; every problem is added, so that one start tells all that is to be mended.
template <typename T>
T read_settings(std::span<const Setting<T>> table, std::vector<Problem>& problems) {
  T out{};
  for (const Setting<T>& row : table) {
    auto read = [&](auto member) { read_setting({row.name, row.fallback, row.help}, out.*member, problems); };
    std::visit(read, row.member);
  }
  return out;
}

/// The word for the type of the `index`th alternative of Setting::member.
std::string_view setting_type(std::size_t index);

/// The rows without their types: for help.
template <typename T>
std::vector<SettingRow> setting_rows(std::span<const Setting<T>> table) {
  std::vector<SettingRow> out;
  for (const auto& row : table) {
    out.push_back({row.name, row.fallback, row.help, setting_type(row.member.index())});
  }
  return out;
}

/// A table for people, a setting a line: name, type, default, help.
std::string describe(std::span<const SettingRow> rows);

}  // namespace holdall::kit
