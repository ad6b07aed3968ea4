#include "kit/service.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <sstream>

#include "base/subprocess.h"
#include "net/socket.h"

namespace holdall::kit {
namespace {

constexpr Setting<Common> kCommonRows[] = {
    {"PORT", &Common::port, "8000", "where to listen"},
    {"HOST", &Common::host, "", "IP address to listen on; all of them if empty"},
    {"LOG_LEVEL", &Common::log_level, "info", "critical, error, warning, info or debug"},
    {"LOG_FORMAT", &Common::log_format, "auto", "json, text, or auto: text on a terminal"},
    {"STOP_TIMEOUT", &Common::stop_timeout, "8s", "what running requests get after SIGTERM"},
    {"DOCKERFLOW_HEARTBEAT_DETAILS", &Common::heartbeat_details, "true", "messages in /__heartbeat__"},
    {"DOCKERFLOW_HEARTBEAT_FAILED_STATUS_CODE", &Common::failed_status, "500", "of a failed heartbeat"},
    {"DOCKERFLOW_SILENCED_CHECKS", &Common::silenced, "", "ids of findings to leave out, with commas"},
};

constexpr log::Severity kLevels[] = {log::Severity::critical, log::Severity::error, log::Severity::warning,
                                     log::Severity::info, log::Severity::debug};

HealthOptions health_options(const Common& common) {
  HealthOptions out{.failed_status = static_cast<int>(common.failed_status),
                    .silenced = {},
                    .details = common.heartbeat_details};
  std::istringstream ids(common.silenced);
  for (std::string id; std::getline(ids, id, ',');) {
    std::erase(id, ' ');
    if (!id.empty()) out.silenced.insert(id);
  }
  return out;
}

net::Address bound_to(const Fd& listener) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  checked(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&storage), &size), "ask for an address");
  net::Address out = net::address_of(storage);
  if (out.host == "::") out.host.clear();
  return out;
}

}  // namespace

const std::span<const Setting<Common>> kCommon{kCommonRows};

Common read_common(std::vector<Problem>& problems) {
  Common out = read_settings(kCommon, problems);
  auto wrong = [&](std::string name, std::string what) {
    problems.push_back({{std::move(name)}, std::move(what), ""});
  };
  constexpr int kMostPorts = 65535, kLeastStatus = 500, kMostStatus = 599;
  if (out.port < 0 || out.port > kMostPorts)
    wrong("PORT", fmt::format("{} is no port from 0 to {}", out.port, kMostPorts));
  if (out.failed_status < kLeastStatus || out.failed_status > kMostStatus) {
    wrong("DOCKERFLOW_HEARTBEAT_FAILED_STATUS_CODE",
          fmt::format("{} is no status from 500 to 599", out.failed_status));
  }
  try {
    if (!out.host.empty()) net::socket_address({out.host, 0, ""});
  } catch (const Error&) {
    wrong("HOST", fmt::format("'{}' is no IP address", out.host));
  }
  bool known_level = false;
  for (log::Severity level : kLevels) {
    if (out.log_level != log::name(level)) continue;
    log::set_level(level);
    known_level = true;
  }
  if (!known_level)
    wrong("LOG_LEVEL", fmt::format("'{}' is no level: critical, error, warning, info, debug", out.log_level));
  if (out.log_format == "json") {
    log::set_format(log::Format::json);
  } else if (out.log_format == "text") {
    log::set_format(log::Format::text);
  } else if (out.log_format != "auto") {
    wrong("LOG_FORMAT", fmt::format("'{}' is no format: json, text, auto", out.log_format));
  }
  return out;
}

Signals::Signals(std::chrono::nanoseconds patience) : patience_(patience), ended_(make_event()) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int signal : {SIGTERM, SIGINT}) sigaddset(&wanted, signal);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  signals_ = Fd(checked(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "wait for signals"));
  watcher_.start("signals", [this](const std::stop_token&) { watch(); });
}

Signals::~Signals() {
  poke(ended_);
  watcher_.stop();
}

void Signals::watch() {
  Deadline end = Deadline::never();
  for (;;) {
    pollfd watched[] = {{ended_.get(), POLLIN, 0},
                        {end == Deadline::never() ? signals_.get() : -1, POLLIN, 0}};
    int ready = poll(watched, 2, end.poll_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (watched[0].revents) return;
    if (ready == 0) break;
    signalfd_siginfo info{};
    if (read(signals_.get(), &info, sizeof info) != sizeof info) continue;
    log::info("service.stopping", "",
              Json::object({{"signal", signal_name(static_cast<int>(info.ssi_signo))}}));
    end = Deadline::after(patience_);
    source_.request_stop();
  }
  log::error("service.stuck", "ended by force: it did not stop in time");
  _exit(code_);
}

Running::Running(const Common& common, std::string version, std::vector<std::string> arguments,
                 Signals& signals)
    : common_(common),
      version_(std::move(version)),
      arguments_(std::move(arguments)),
      signals_(signals),
      health_(health_options(common)) {}

int Running::serve(std::vector<net::Route> routes, const ServeOptions& options) {
  std::vector<net::Route> all = health_routes(health_, version_);
  std::ranges::move(routes, std::back_inserter(all));
  net::Server server(std::move(all), {.threads = options.threads,
                                      .queued = options.queued,
                                      .largest_body = options.largest_body,
                                      .finish = common_.stop_timeout,
                                      .record = log_request});
  Fd listener = net::listen({common_.host, static_cast<std::uint16_t>(common_.port), ""});
  log::info("service.ready", "", Json::object({{"address", net::text(bound_to(listener))}}));
  server.add_listener({std::move(listener)});
  std::stop_callback on_stop(signals_.token(), [&] { server.stop(); });
  int code = server.run() ? 1 : 0;
  signals_.settle(code);
  return code;
}

bool Running::wait(std::chrono::nanoseconds span) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, signals_.token(), span, [] { return false; });
  return !signals_.token().stop_requested();
}

}  // namespace holdall::kit
