#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace holdall::log {

/// Syslog's numbers, as mozlog has them.
enum class Severity { critical = 2, error = 3, warning = 4, info = 6, debug = 7 };

/// One line on stderr: a mozlog JSON object (Timestamp in integer nanoseconds, Type, Logger, Hostname,
/// EnvVersion 2.0, Severity, Pid, Fields), or text for people (docs/formats/log.md). `type` names the kind of
/// message ("release.switched"); `fields` is flat. Lines of several threads never mix. A stderr that takes
/// nothing is waited for, while a Backlog lives by another thread. Thread-safe; never throws.
void write(Severity severity, std::string_view type, std::string_view message,
           const Json& fields = Json::object());

inline void critical(std::string_view type, std::string_view message, const Json& fields = Json::object()) {
  write(Severity::critical, type, message, fields);
}
inline void error(std::string_view type, std::string_view message, const Json& fields = Json::object()) {
  write(Severity::error, type, message, fields);
}
inline void warning(std::string_view type, std::string_view message, const Json& fields = Json::object()) {
  write(Severity::warning, type, message, fields);
}
inline void info(std::string_view type, std::string_view message, const Json& fields = Json::object()) {
  write(Severity::info, type, message, fields);
}

/// While it lives, each line of this thread bears `fields` too, unless the line or an inner context has a
/// field of that name: the id of the request that is handled.
class Context {
 public:
  explicit Context(Json fields);
  ~Context();
  Context(const Context&) = delete;

 private:
  friend void write(Severity, std::string_view, std::string_view, const Json&);
  const Json fields_;
  const Context* const outer_;
};

/// The program's name in `Logger`: "holdall.control". This and the next two are set once, before threads
/// start.
void set_logger(std::string name);
/// Lines less severe than `least` are not written; at first all are.
void set_level(Severity least);
enum class Format {
  automatic,  ///< text on a terminal, else JSON
  json,
  text
};
void set_format(Format format);

/// "critical", "error", "warning", "info", "debug".
std::string_view name(Severity severity);

/// The line `write` writes, without its newline, at the given instant: for the router's request.summary and
/// for tests.
std::string mozlog_line(Severity severity, std::string_view type, std::string_view logger,
                        std::string_view message, const Json& fields, std::int64_t timestamp_ns);

/// A server must not stand still, nor lose a line, because nobody reads its stderr for a while. While a
/// Backlog lives, what stderr does not take at once is kept, up to 16 MiB, and written in order by a thread
/// of its own; beyond that lines are counted, and `log.lost` says how many once lines go through again. One a
/// process.
class Backlog {
 public:
  Backlog();
  ~Backlog();  ///< waits until all is written, at most 5 s
  Backlog(const Backlog&) = delete;
};

}  // namespace holdall::log
