#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "api/feed.h"
#include "logs/logs.h"
#include "supervise/supervise.h"

namespace holdall::api {

/// What a client wants to read of an app's output.
struct LogQuery {
  std::string app;
  std::set<std::string> services;   ///< none: all
  std::optional<std::size_t> tail;  ///< the last lines of each slot; nothing: all there are
  bool follow = false;
  std::map<std::string, logs::Cursor> from;  ///< by instance: where a client that was cut off goes on
};

/// {"INSTANCE": [out, err], ...}, as the query's `from` has it. Throws `invalid`.
std::map<std::string, logs::Cursor> parse_cursors(const std::string& json);

/// Pushes the lines of all instances, merged by time, into `feed`; then, with `follow`, what they say from
/// now on, new instances included.
void stream_logs(const LogQuery& query, const std::filesystem::path& logs,
                 const supervise::Supervisor& supervisor, Feed& feed, const std::stop_token& stop);

}  // namespace holdall::api
