#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace holdall::log {

/// Syslog's numbers, as mozlog has them.
enum class Severity { critical = 2, error = 3, warning = 4, info = 6, debug = 7 };

/// One line on stderr: a mozlog JSON object (Timestamp in integer nanoseconds, Type, Logger, Hostname,
/// EnvVersion 2.0, Severity, Pid, Fields), or, when stderr is a terminal, text for people. `type` names the
/// kind of message
/// ("release.switched"); `fields` is flat. One write(2) a line; thread-safe; never throws.
void write(Severity severity, std::string_view type, std::string_view message,
           const Json& fields = Json::object());

inline void error(std::string_view type, std::string_view message, const Json& fields = Json::object()) {
  write(Severity::error, type, message, fields);
}
inline void warning(std::string_view type, std::string_view message, const Json& fields = Json::object()) {
  write(Severity::warning, type, message, fields);
}
inline void info(std::string_view type, std::string_view message, const Json& fields = Json::object()) {
  write(Severity::info, type, message, fields);
}

/// The program's name in `Logger`: "holdall.control". Set once, before threads start.
void set_logger(std::string name);

/// The line `write` writes, without its newline, at the given instant: for the router's request.summary and
/// for tests.
std::string mozlog_line(Severity severity, std::string_view type, std::string_view logger,
                        std::string_view message, const Json& fields, std::int64_t timestamp_ns);

}  // namespace holdall::log
