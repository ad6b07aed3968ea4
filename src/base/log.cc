#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/time.h"

namespace holdall::log {
namespace {

std::string& logger() {
  static std::string name = "holdall";
  return name;
}

std::string hostname() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::critical: return "critical";
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::info: return "info";
    case Severity::debug: return "debug";
  }
  return "debug";
}

bool is_scalar(const Json& value) { return value.is_bool() || value.is_number() || value.is_string(); }

bool same_kind(const Json& a, const Json& b) {
  return is_scalar(a) && a.is_bool() == b.is_bool() && a.is_number() == b.is_number() &&
         a.is_string() == b.is_string();
}

/// mozlog's strict schema takes strings, numbers, booleans and non-empty arrays of one of them. All else goes
/// as text.
Json field(const Json& value) {
  if (is_scalar(value)) return value;
  bool allowed = value.is_array() && !value.items().empty() &&
                 std::ranges::all_of(
                     value.items(), [&](const Json& item) { return same_kind(item, value.items().front()); });
  return allowed ? value : Json(value.print());
}

/// Without members that are null, which the schema has no place for; `msg` first.
Json strict_fields(std::string_view message, const Json& fields) {
  Json out = Json::object();
  if (!message.empty()) out["msg"] = message;
  if (!fields.is_object()) return out;
  for (const auto& [name, value] : fields.members()) {
    if (!value.is_null()) out[name] = field(value);
  }
  return out;
}

std::string text_line(Severity severity, std::string_view type, std::string_view message,
                      const Json& fields) {
  std::string line =
      fmt::format("{} {:<7} {}", rfc3339(system_clock().wall()).substr(11, 12), name(severity), type);
  if (!message.empty()) line += fmt::format("  {}", message);
  for (const auto& [name, value] : strict_fields("", fields).members()) {
    line += fmt::format("  {}={}", name, value.is_string() ? value.string() : value.print());
  }
  return line;
}

}  // namespace

void write(Severity severity, std::string_view type, std::string_view message, const Json& fields) {
  try {
    static const bool terminal = isatty(STDERR_FILENO) == 1;
    std::string line =
        terminal ? text_line(severity, type, message, fields)
                 : mozlog_line(severity, type, logger(), message, fields, nanoseconds(system_clock().wall()));
    line += '\n';
    // A log that cannot be written has nobody to be told to.
    [[maybe_unused]] auto written = ::write(STDERR_FILENO, line.data(), line.size());
  } catch (...) {
  }
}

void set_logger(std::string name) { logger() = std::move(name); }

std::string mozlog_line(Severity severity, std::string_view type, std::string_view logger,
                        std::string_view message, const Json& fields, std::int64_t timestamp_ns) {
  static const std::string host = hostname();
  Json line = Json::object({{"Timestamp", timestamp_ns},
                            {"Type", type},
                            {"Logger", logger},
                            {"Hostname", host},
                            {"EnvVersion", "2.0"},
                            {"Severity", static_cast<int>(severity)},
                            {"Pid", static_cast<int>(getpid())}});
  if (Json checked = strict_fields(message, fields); !checked.members().empty())
    line["Fields"] = std::move(checked);
  return line.print();
}

}  // namespace holdall::log
