#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <string_view>

namespace load {

namespace {

// A test that fails wants to see examples; a million of them would only hide the rest.
constexpr std::size_t kMostFailures = 1000;

std::string object(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", name, count);
  return "{" + text + "}";
}

float quantile(const std::vector<float>& sorted, double share) {
  return sorted.empty() ? 0
                        : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

std::int64_t wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

Report::Second& Report::second(std::int64_t at) {
  auto index = static_cast<std::size_t>(std::max<std::int64_t>(0, at - begun_) / 1'000'000'000);
  if (timeline_.size() <= index) timeline_.resize(index + 1);
  return timeline_[index];
}

void Report::list(const Request& request, const char* outcome, const std::string& release, std::int64_t due,
                  std::int64_t at) {
  if (!list_) return;
  fmt::print(list_, "{} {} {} {} {} {}\n", request.id, name(request.kind), outcome,
             release.empty() ? "-" : release, due, at);
}

void Report::sent(std::int64_t at) {
  ++sent_;
  ++second(at).sent;
}

void Report::answered(const Request& request, const std::string& release, std::int64_t due, std::int64_t at) {
  ++answered_;
  ++releases_[release];
  Second& now = second(at);
  ++now.answered;
  if (request.kind != Kind::slow && request.kind != Kind::stream) {
    latencies_ms_.push_back(static_cast<float>(at - due) / 1e6F);
    now.slowest_ms = std::max(now.slowest_ms, static_cast<std::uint64_t>((at - due) / 1'000'000));
  }
  list(request, "answered", release, due, at);
}

void Report::left(const Request& request, std::int64_t due, std::int64_t at) {
  ++left_;
  list(request, "left", "", due, at);
}

void Report::failed(const Request& request, const std::string& cause, const std::string& release,
                    std::int64_t due, std::int64_t at) {
  ++failed_;
  ++causes_[cause];
  ++second(at).failed;
  if (failures_.size() < kMostFailures) failures_.push_back({request.id, cause, request.kind, due, at});
  list(request, "failed", release, due, at);
}

std::string Report::json() const {
  std::vector<float> sorted = latencies_ms_;
  std::sort(sorted.begin(), sorted.end());
  std::string timeline, failures;
  for (std::size_t i = 0; i < timeline_.size(); ++i) {
    const Second& s = timeline_[i];
    timeline += fmt::format(
        "{}{{\"second\": {}, \"sent\": {}, \"answered\": {}, \"failed\": {}, \"slowest_ms\": {}}}",
        i ? ", " : "", i, s.sent, s.answered, s.failed, s.slowest_ms);
  }
  for (const Failure& f : failures_) {
    failures += fmt::format(
        "{}{{\"id\": \"{}\", \"kind\": \"{}\", \"cause\": \"{}\", \"sent_ns\": {}, \"failed_ns\": {}}}",
        failures.empty() ? "" : ", ", f.id, name(f.kind), f.cause, f.sent, f.at);
  }
  return fmt::format(
      "{{\"sent\": {}, \"answered\": {}, \"left\": {}, \"failed\": {}, \"causes\": {}, \"releases\": {}, "
      "\"latency_ms\": {{\"p50\": {:.2f}, \"p99\": {:.2f}, \"max\": {:.2f}}}, \"latest_start_ms\": {:.1f}, "
      "\"timeline\": [{}], "
      "\"failures\": [{}]}}",
      sent_, answered_, left_, failed_, object(causes_), object(releases_), quantile(sorted, 0.5),
      quantile(sorted, 0.99), quantile(sorted, 1.0), static_cast<double>(latest_) / 1e6, timeline, failures);
}

}  // namespace load
