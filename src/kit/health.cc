#include "kit/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "base/files.h"
#include "base/log.h"
#include "base/tasks.h"

namespace holdall::kit {
namespace {

constexpr auto kThrew = "holdall.health.E001", kHangs = "holdall.health.E002";

std::string_view name(Level level) {
  switch (level) {
    case Level::ok: return "ok";
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
    case Level::critical: return "critical";
  }
  return "critical";
}

log::Severity severity(Level level) {
  switch (level) {
    case Level::ok:
    case Level::debug: return log::Severity::debug;
    case Level::info: return log::Severity::info;
    case Level::warning: return log::Severity::warning;
    case Level::error: return log::Severity::error;
    case Level::critical: return log::Severity::critical;
  }
  return log::Severity::critical;
}

Level worst(const std::vector<Finding>& findings) {
  Level out = Level::ok;
  for (const Finding& finding : findings) out = std::max(out, finding.level);
  return out;
}

std::vector<Finding> run(const Check& check, Deadline deadline) {
  std::string fault = "unknown exception";
  try {
    return check(deadline);
  } catch (const std::exception& error) {
    fault = error.what();
  } catch (...) {
  }
  return {{Level::error, kThrew, std::move(fault)}};
}

}  // namespace

struct Health::Impl {
  struct Row {
    std::string name;
    Check check;
    std::chrono::nanoseconds timeout;
    // Under the mutex: the run that is under way, or the last.
    bool running = false;
    Instant begun;
    std::uint64_t runs = 0;  ///< that have ended
    std::vector<Finding> findings;
  };

  void begin(Row& row);
  std::vector<Finding> wait_for(Row& row, std::unique_lock<std::mutex>& lock, std::uint64_t run);
  void report(const Row& row, std::vector<Finding> findings, Json& checks, Json& details,
              Level& overall) const;

  HealthOptions options;
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<std::unique_ptr<Row>> rows;
  TaskGroup tasks;  // last: its threads use the rows
};

/// Starts the check unless it is still running. Under the mutex.
void Health::Impl::begin(Row& row) {
  if (row.running) return;
  tasks.start("check of " + row.name, [this, &row](const std::stop_token&) {
    std::vector<Finding> findings = run(row.check, Deadline::after(row.timeout));
    std::lock_guard lock(mutex);
    row.findings = std::move(findings);
    row.running = false;
    ++row.runs;
    ended.notify_all();
  });
  row.running = true;
  row.begun = BootClock::now();
}

/// What run number `run` found, or that it has not ended in time.
std::vector<Finding> Health::Impl::wait_for(Row& row, std::unique_lock<std::mutex>& lock, std::uint64_t run) {
  auto left = row.begun + row.timeout - BootClock::now();
  if (ended.wait_for(lock, left, [&] { return row.runs > run; })) return row.findings;
  return {{Level::error, kHangs, fmt::format("no answer within {}", text(row.timeout))}};
}

void Health::Impl::report(const Row& row, std::vector<Finding> findings, Json& checks, Json& details,
                          Level& overall) const {
  std::erase_if(findings, [&](const Finding& finding) { return options.silenced.contains(finding.id); });
  Level level = worst(findings);
  overall = std::max(overall, level);
  checks[row.name] = name(level);
  Json messages = Json::object();
  for (const Finding& finding : findings) {
    log::write(severity(finding.level), "health.check", finding.message,
               Json::object({{"check", row.name}, {"id", finding.id}}));
    messages[finding.id] = finding.message;
  }
  if (level == Level::ok || !options.details) return;
  details[row.name] =
      Json::object({{"status", name(level)}, {"level", static_cast<int>(level)}, {"messages", messages}});
}

Health::Health(HealthOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
}
Health::~Health() = default;

void Health::add(std::string name, Check check, std::chrono::nanoseconds timeout) {
  impl_->rows.push_back(std::make_unique<Impl::Row>(std::move(name), std::move(check), timeout));
}

net::Response Health::heartbeat() {
  Json checks = Json::object(), details = Json::object();
  Level overall = Level::ok;
  std::vector<std::pair<Impl::Row*, std::vector<Finding>>> found;
  {
    std::unique_lock lock(impl_->mutex);
    std::vector<std::uint64_t> runs;
    for (auto& row : impl_->rows) {
      impl_->begin(*row);
      runs.push_back(row->runs);
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
      Impl::Row& row = *impl_->rows[i];
      found.emplace_back(&row, impl_->wait_for(row, lock, runs[i]));
    }
  }
  for (auto& [row, findings] : found) impl_->report(*row, std::move(findings), checks, details, overall);
  Json answer = Json::object({{"status", name(overall)}, {"checks", checks}});
  if (impl_->options.details) answer["details"] = details;
  return net::json_response(answer, overall >= Level::error ? impl_->options.failed_status : 200);
}

std::vector<net::Route> health_routes(Health& health, std::string version) {
  auto tell_version = [version = std::move(version)](net::Request&) {
    net::Response out;
    out.body = version;
    if (!version.empty()) return out;
    out.status = 404;
    out.content_type = "text/plain; charset=utf-8";
    out.body = "version.json not found";
    return out;
  };
  auto alive = [](net::Request&) { return net::json_response(Json::object({{"status", "ok"}})); };
  auto heartbeat = [&health](net::Request&) { return health.heartbeat(); };
  std::vector<net::Route> out;
  for (std::string_view slash : {"", "/"}) {
    out.push_back({"GET", fmt::format("/__version__{}", slash), tell_version, net::Lane::loop});
    out.push_back({"GET", fmt::format("/__heartbeat__{}", slash), heartbeat, net::Lane::reserve});
    out.push_back({"GET", fmt::format("/__lbheartbeat__{}", slash), alive, net::Lane::loop});
  }
  return out;
}

std::string version_document(std::string_view embedded) {
  auto file = read_file_if_exists("version.json");
  std::string out = file ? std::move(*file) : std::string(embedded);
  if (out.empty()) return out;
  try {
    Json::parse(out).members();
  } catch (const Error& error) {
    throw error.during("version.json");
  }
  return out;
}

}  // namespace holdall::kit
