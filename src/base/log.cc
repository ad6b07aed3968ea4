#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/log_sink.h"
#include "base/time.h"

namespace holdall::log {
namespace {

struct Settings {
  std::string logger = "holdall";
  Severity least = Severity::debug;
  Format format = Format::automatic;
};

Settings& settings() {
  static Settings settings;
  return settings;
}

thread_local const Context* innermost = nullptr;

std::string hostname() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

/// JSON has no word for what is not finite.
bool is_scalar(const Json& value) {
  return value.is_bool() || value.is_string() || (value.is_number() && std::isfinite(value.number()));
}

bool same_kind(const Json& a, const Json& b) {
  return is_scalar(a) && is_scalar(b) && a.is_bool() == b.is_bool() && a.is_number() == b.is_number() &&
         a.is_string() == b.is_string();
}

/// mozlog's strict schema takes strings, numbers, booleans and non-empty arrays of one of them. All else goes
/// as text.
Json field(const Json& value) {
  if (is_scalar(value)) return value;
  if (value.is_number()) return fmt::format("{}", value.number());
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

/// What a terminal would obey is shown instead; a message may have several lines.
std::string printable(std::string_view text, bool lines) {
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool control = byte < 0x20 || byte == 0x7f;
    if (control && !(lines && c == '\n')) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string text_line(Severity severity, std::string_view type, std::string_view message,
                      const Json& fields) {
  std::string line =
      fmt::format("{} {:<7} {}", rfc3339(system_clock().wall()).substr(11, 12), name(severity), type);
  if (!message.empty()) line += fmt::format("  {}", printable(message, true));
  Json all = strict_fields("", fields);  // by name: a loop over a temporary's members reads what is gone
  for (const auto& [name, value] : all.members()) {
    line +=
        fmt::format("  {}={}", name, printable(value.is_string() ? value.string() : value.print(), false));
  }
  return line;
}

bool is_text() {
  static const bool terminal = isatty(STDERR_FILENO) == 1;
  Format format = settings().format;
  return format == Format::text || (format == Format::automatic && terminal);
}

std::string whole_line(Severity severity, std::string_view type, std::string_view message,
                       const Json& fields) {
  std::string line = is_text() ? text_line(severity, type, message, fields)
                               : mozlog_line(severity, type, settings().logger, message, fields,
                                             nanoseconds(system_clock().wall()));
  return line + '\n';
}

}  // namespace

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

void write(Severity severity, std::string_view type, std::string_view message, const Json& fields) {
  if (severity > settings().least) return;
  try {
    if (!innermost) return deliver(whole_line(severity, type, message, fields));
    Json all = fields.is_object() ? fields : Json::object();
    for (const Context* context = innermost; context; context = context->outer_) {
      for (const auto& [name, value] : context->fields_.members()) {
        if (!all.find(name)) all[name] = value;
      }
    }
    deliver(whole_line(severity, type, message, all));
  } catch (...) {  // there is no memory for a line, and nobody to be told
  }
}

std::string lost_line(std::size_t count) {
  return whole_line(Severity::error, "log.lost", "stderr did not take these lines in time",
                    Json::object({{"count", count}}));
}

Context::Context(Json fields) : fields_(std::move(fields)), outer_(std::exchange(innermost, this)) {}
Context::~Context() { innermost = outer_; }

void set_logger(std::string name) { settings().logger = std::move(name); }
void set_level(Severity least) { settings().least = least; }
void set_format(Format format) { settings().format = format; }

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
