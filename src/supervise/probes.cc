#include "supervise/probes.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace holdall::supervise {
namespace {

// Health commands are short; more at once would compete with the instances that they ask about.
constexpr int kMostThreads = 4;

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  constexpr std::size_t kLongest = 200;
  auto line = text.substr(text.rfind('\n') + 1);
  return std::string(line.substr(0, kLongest));
}

Verdict judge(const Output& output, std::chrono::nanoseconds timeout) {
  if (output.timed_out) {
    return {.accepted = false,
            .passed = false,
            .failure = fmt::format("healthcheck did not end within {}", text(timeout))};
  }
  if (output.exit.ok()) return {.accepted = false, .passed = true, .failure = ""};
  std::string said = last_line(output.err.empty() ? output.out : output.err);
  return {.accepted = false,
          .passed = false,
          .failure = fmt::format("healthcheck {}{}{}", text(output.exit), said.empty() ? "" : ": ", said)};
}

}  // namespace

Probes::Probes(engine::Engine& engine, const Clock& clock)
    : engine_(engine),
      clock_(clock),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll set")),
      answered_(make_event()) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = answered_.get()}};
  checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, answered_.get(), &event), "wait for health commands");
}

Probes::~Probes() { shared_.lock()->jobs.clear(); }

void Probes::start(const InstanceId& id, const Gate& gate, const net::Address& address) {
  if (gate.kind == Gate::Kind::command || gate.kind == Gate::Kind::file) return start_job(id, gate);
  net::Address to = address;
  if (gate.port != 0) to = {.host = to.host.empty() ? "127.0.0.1" : to.host, .port = gate.port, .path = ""};
  SocketProbe probe(gate, to, clock_.now());
  // A connect to our own machine is refused or accepted at once, and then needs no turn of the loop.
  if (auto verdict = probe.go_on(clock_.now())) {
    ended_.push_back({id, std::move(*verdict)});
    return;
  }
  auto [entry, inserted] = sockets_.insert_or_assign(id, std::move(probe));
  epoll_event event{.events = entry->second.wants_write() ? EPOLLOUT : EPOLLIN,
                    .data = {.fd = entry->second.fd()}};
  checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, entry->second.fd(), &event), "wait for a probe");
}

void Probes::start_job(const InstanceId& id, const Gate& gate) {
  std::uint64_t number = ++jobs_made_;
  commands_[id] = number;
  bool one_more = false;
  {
    auto shared = shared_.lock();
    shared->jobs.push_back({id, number, gate});
    one_more = shared->threads < kMostThreads;
    if (one_more) ++shared->threads;
  }
  if (one_more) threads_.start("health commands", [this](const std::stop_token&) { run_jobs(); });
}

/// Until there is no job left: while nobody asks for a health command there is no thread either.
void Probes::run_jobs() {
  for (;;) {
    Job job;
    {
      auto shared = shared_.lock();
      if (shared->jobs.empty()) {
        --shared->threads;
        return;
      }
      job = std::move(shared->jobs.front());
      shared->jobs.pop_front();
    }
    Verdict verdict = do_job(job);
    shared_.lock()->answers.push_back({std::move(job.id), job.number, std::move(verdict)});
    poke(answered_);
  }
}

Verdict Probes::do_job(const Job& job) {
  const bool is_file = job.gate.kind == Gate::Kind::file;
  Verdict verdict;
  try {
    if (is_file) {
      verdict.beat = engine_.touched(job.id, job.gate.path);
    } else {
      verdict =
          judge(engine_.exec(job.id, job.gate.command, Deadline::after(job.gate.timeout)), job.gate.timeout);
    }
  } catch (const std::exception& error) {
    verdict.failure = is_file ? fmt::format("its heartbeat cannot be seen: {}", error.what())
                              : fmt::format("healthcheck could not be run: {}", error.what());
  }
  return verdict;
}

void Probes::cancel(const InstanceId& id) {
  sockets_.erase(id);
  commands_.erase(id);
  std::erase_if(ended_, [&](const Result& result) { return result.id == id; });
  std::erase_if(shared_.lock()->jobs, [&](const Job& job) { return job.id == id; });
}

std::vector<Prober::Result> Probes::take() {
  std::vector<Result> results = std::exchange(ended_, {});
  Instant now = clock_.now();
  for (auto each = sockets_.begin(); each != sockets_.end();) {
    auto& [id, probe] = *each;
    bool wrote = probe.wants_write();
    if (auto verdict = probe.go_on(now)) {
      results.push_back({id, std::move(*verdict)});
      each = sockets_.erase(each);
      continue;
    }
    if (wrote != probe.wants_write()) {
      epoll_event event{.events = EPOLLIN, .data = {.fd = probe.fd()}};
      checked(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, probe.fd(), &event), "wait for a probe");
    }
    ++each;
  }
  clear(answered_);
  std::vector<Answer> answers;
  answers.swap(shared_.lock()->answers);
  for (Answer& answer : answers) {
    auto waited_for = commands_.find(answer.id);
    if (waited_for == commands_.end() || waited_for->second != answer.number) continue;
    commands_.erase(waited_for);
    results.push_back({std::move(answer.id), std::move(answer.verdict)});
  }
  return results;
}

Instant Probes::due() const {
  if (!ended_.empty()) return clock_.now();
  Instant due = Instant::max();
  for (const auto& [id, probe] : sockets_) due = std::min(due, probe.deadline());
  return due;
}

}  // namespace holdall::supervise
