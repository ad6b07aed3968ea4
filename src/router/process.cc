#include "router/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/files.h"
#include "base/log.h"

namespace holdall::router {
namespace {

using namespace std::chrono_literals;

// A message goes as one packet of at most 60 KiB; what is near it goes as a file.
constexpr std::size_t kLargestInline = 50 << 10;

// Control reads all the time; one that does not for so long is stuck, and another will come.
constexpr auto kControlPatience = 5s;

// A drain without a deadline gets this one: it must not overflow the clock.
constexpr auto kLongestDrain = std::chrono::milliseconds(std::chrono::hours(24 * 365));

// Requests that run when the router is told to stop; serve kills it soon after.
constexpr auto kStopPatience = 5s;

// Before it accepts no more it answers for so long with "this connection is closed", so that who asks all the
// time is not hung up on in the middle of a request. Then what was accepted last has a moment to say its own.
constexpr std::chrono::milliseconds kLeaveTaking = 1s, kLastWords = 300ms;

// A websocket or a download on a router that was replaced. Somebody's browser is not cut off for an upgrade,
// but no process stays for ever.
constexpr auto kRetirement = 1h;

// When serve itself restarts, nobody tells the old router of instances that go: it has as long as a silent
// connection, and a moment.
constexpr auto kRetirementAlone = 20s;

Json to_json(const Counters::PerRelease& one) {
  Json failed = Json::object();
  for (const auto& [cause, count] : one.failed) failed[cause] = count;
  return Json::object({{"served", one.served},
                       {"app_5xx", one.app_5xx},
                       {"failed", std::move(failed)},
                       {"cut", one.cut},
                       {"left", one.left},
                       {"maintenance", one.maintenance}});
}

void never_block(const Fd& fd) { fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

bool readable(const pollfd& wait) { return wait.revents != 0; }

}  // namespace

Process::Process(Fd serve, int workers, const Limits& limits)
    : epoch_(random_id()),
      started_(system_clock().wall()),
      serve_(std::move(serve)),
      wake_(make_event()),
      fleet_(static_cast<std::size_t>(workers)) {
  for (int i = 0; i < workers; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(static_cast<std::size_t>(i), limits, fleet_.counters(""), lines_dropped_));
    workers_.back()->on_unused([this] { poke(wake_); });
  }
}

Process::~Process() { workers_.clear(); }

void Process::run(const Fd& stop) {
  for (;;) {
    std::array<pollfd, 4> waits{{{serve_.get(), POLLIN, 0},
                                 {wake_.get(), POLLIN, 0},
                                 {stop.get(), POLLIN, 0},
                                 {control_.get(), POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), wait_ms()) < 0 && errno != EINTR) {
      throw_errno(Error::broken, "wait for messages", errno);
    }
    if (readable(waits[1])) take_posts();
    // Serve's messages first, all of them: control tells of a listener only after serve has sent it.
    if (serve_ && !hear_serve()) {
      if (!alone_) return finish_requests(false);
      serve_.reset();
    }
    if (readable(waits[2]) || retires_until_.passed()) return finish_requests(true);
    if (control_ && readable(waits[3])) hear_control();
    advance_drains();
    if (retired_through_) return say_counted();
  }
}

int Process::wait_ms() const {
  Instant first = retires_until_.at();
  for (const auto& drain : drains_) {
    if (!drain->cutting) first = std::min(first, drain->deadline);
  }
  return Deadline(first).poll_ms();
}

// A full and final stop: requests that run get their answer, then a closed connection. Without serve the
// listeners go at once, since whoever serves next needs their addresses.
void Process::finish_requests(bool takes_leave) {
  control_.reset();
  if (takes_leave) {
    on_all_within(kLeaveTaking, [](Worker& worker, auto done) { worker.end(true, std::move(done)); });
    on_all_within(kLastWords, [](Worker& worker, auto done) { worker.end(false, std::move(done)); });
  }
  for (auto& [name, socket] : sockets_) retired_.push_back(std::move(socket));
  sockets_.clear();
  if (snapshot_) roll_out([] {});
  on_all_within(kStopPatience, [](Worker& worker, auto done) { worker.stop(std::move(done)); });
}

void Process::on_all_within(std::chrono::nanoseconds patience,
                            const std::function<void(Worker&, std::function<void()>)>& tell) {
  auto left = std::make_shared<std::atomic<std::size_t>>(workers_.size());
  for (auto& worker : workers_) {
    tell(*worker, [this, left] {
      --*left;
      poke(wake_);
    });
  }
  Deadline deadline = Deadline::after(patience);
  while (*left > 0 && !deadline.passed()) {
    pollfd wait{wake_.get(), POLLIN, 0};
    poll(&wait, 1, deadline.poll_ms());
    take_posts();
  }
}

// The sockets are another router's from now on, or already.
void Process::retire() {
  if (retires_until_ != Deadline::never()) return;
  retires_until_ = Deadline::after(kRetirement);
  auto left = std::make_shared<std::atomic<std::size_t>>(workers_.size());
  for (auto& worker : workers_) {
    worker->end(false, [this, left] {
      if (--*left == 0) post([this] { retired_through_ = true; });
    });
  }
  for (auto& [name, socket] : sockets_) retired_.push_back(std::move(socket));
  sockets_.clear();
  if (snapshot_) roll_out([] {});
}

void Process::say_ready() { tell_serve(Json::object({{"type", "ready"}, {"epoch", epoch_}})); }

// A release that began with this router ends with another: nothing that was counted is lost.
void Process::say_counted() {
  Fd memfd = sealed_memfd("counters", counters().print());
  tell_serve(Json::object({{"type", "counted"}, {"epoch", epoch_}}), {memfd.get()});
}

void Process::tell_serve(const Json& message, const std::vector<int>& fds) {
  if (!serve_) return;
  try {
    net::send(serve_, message, fds, Deadline::after(kControlPatience));
  } catch (const Error& error) {
    log::error("router.serve", error.what());
  }
}

bool Process::hear_serve() {
  try {
    while (auto message = net::receive(serve_, Deadline::after(0s))) from_serve(std::move(*message));
    return true;
  } catch (const Error& error) {
    if (error.kind() == Error::missing) return false;
    log::error("router.message", error.what());
    return true;
  }
}

void Process::from_serve(net::Handover message) {
  const std::string& type = message.body.at("type").string();
  bool has_fd = !message.fds.empty();
  if (type == "log" && has_fd) {
    Fd pipe = std::move(message.fds[0]);
    never_block(pipe);
    // The workers keep the number; a second pipe takes the place of the first under it.
    if (log_) {
      dup3(pipe.get(), log_.get(), O_CLOEXEC);
    } else {
      log_ = std::move(pipe);
      for (auto& worker : workers_) worker->log_to(log_.get());
    }
  } else if (type == "table" && has_fd) {
    take_table(message.fds[0]);
    roll_out([] {});
  } else if (type == "listen" && has_fd) {
    Fd& place = sockets_[message.body.at("name").string()];
    if (place) retired_.push_back(std::move(place));
    place = std::move(message.fds[0]);
    never_block(place);
    if (snapshot_) roll_out([] {});
  } else if (type == "unlisten") {
    auto found = sockets_.find(message.body.at("name").string());
    if (found == sockets_.end()) return;
    retired_.push_back(std::move(found->second));
    sockets_.erase(found);
    if (snapshot_) roll_out([] {});
    if (!snapshot_) retired_.clear();
  } else if (type == "begin") {
    after_ = message.body.at("after");
    if (snapshot_) {
      roll_out([this] { say_ready(); });
    } else {
      say_ready();
    }
  } else if (type == "retire") {
    retire();
    alone_ = message.body.boolean_or("alone", false);
    if (alone_) retires_until_ = std::min(retires_until_, Deadline::after(kRetirementAlone));
  } else if (type == "control" && has_fd) {
    control_ = std::move(message.fds[0]);
    tell_control(
        Json::object({{"type", "hello"}, {"protocol", 1}, {"epoch", epoch_}, {"version", served_version_}}));
  }
}

void Process::hear_control() {
  try {
    while (control_) {
      auto message = net::receive(control_, Deadline::after(0s));
      if (!message) return;
      from_control(std::move(*message));
    }
  } catch (const Error& error) {
    if (error.kind() == Error::missing) {
      control_.reset();
      return;
    }
    tell_control(Json::object({{"type", "error"}, {"kind", name(error.kind())}, {"message", error.what()}}));
  }
}

void Process::from_control(net::Handover message) {
  const std::string& type = message.body.at("type").string();
  if (type == "table") {
    std::uint64_t version = static_cast<std::uint64_t>(message.body.at("version").integer());
    try {
      if (message.fds.empty()) throw Error(Error::invalid, "a table without its descriptor");
      failpoint("router.table.before");
      take_table(message.fds[0]);
    } catch (const Error& error) {
      return tell_control(
          Json::object({{"type", "refused"}, {"version", version}, {"message", std::string(error.what())}}));
    }
    roll_out([this, version] {
      failpoint("router.table.after");
      failpoint("router.ack.before");
      tell_control(Json::object({{"type", "ack"}, {"version", version}}));
      failpoint("router.ack.after");
    });
  } else if (type == "drain") {
    start_drain(message.body);
  } else if (type == "counters") {
    answer_counters(message.body.at("id"));
  } else {
    tell_control(Json::object({{"type", "error"},
                               {"kind", "invalid"},
                               {"message", fmt::format("no message is called '{}'", type)}}));
  }
}

void Process::take_table(const Fd& memfd) {
  RouteTable table = parse_table(Json::parse(read_memfd(memfd)));
  check(table);
  if (table.version < table_.version) {
    throw Error(Error::conflict, fmt::format("table {} is older than table {}, which is served",
                                             table.version, table_.version));
  }
  table_ = std::move(table);
  snapshot_ = fleet_.compile(table_);
}

// Every worker goes over to the newest table and sockets; `done` then runs on this thread.
void Process::roll_out(std::function<void()> done) {
  Worker::Sockets sockets;
  for (const auto& [name, socket] : sockets_) sockets[name] = socket.get();
  ++rolling_;
  auto left = std::make_shared<std::atomic<std::size_t>>(workers_.size());
  auto through = [this, version = table_.version, done = std::move(done)] {
    --rolling_;
    served_version_ = std::max(served_version_, version);
    if (rolling_ == 0) {
      retired_.clear();
      fleet_.forget_unused();
    }
    done();
  };
  for (auto& worker : workers_) {
    worker->serve(snapshot_, sockets, [this, left, through] {
      if (--*left == 0) post(through);
    });
  }
}

void Process::start_drain(const Json& message) {
  std::vector<InstanceId> ids;
  for (const Json& id : message.at("targets").items()) ids.push_back(InstanceId{id.string()});
  auto drain = std::make_unique<Drain>();
  drain->id = message.at("id");
  drain->targets = fleet_.find(ids);
  auto timeout = std::chrono::milliseconds(message.at("timeout_ms").integer());
  drain->deadline = BootClock::now() + std::min(timeout, kLongestDrain);
  drains_.push_back(std::move(drain));
  watch_targets();
}

// From now on (sequentially consistent on both sides) whoever takes a target's last use away wakes this
// thread.
void Process::watch_targets() {
  if (snapshot_) {
    for (LiveTarget* target : snapshot_->targets) target->watched = false;
  }
  for (auto& drain : drains_) {
    for (LiveTarget* target : drain->targets) target->watched = true;
  }
}

void Process::advance_drains() {
  std::vector<Drain*> over, given_up;
  for (auto& drain : drains_) {
    // A release that went back: they have new requests, and keep their old ones.
    if (!drain->cutting && std::any_of(drain->targets.begin(), drain->targets.end(),
                                       [](LiveTarget* one) { return one->listed; })) {
      given_up.push_back(drain.get());
      continue;
    }
    bool unused = std::all_of(drain->targets.begin(), drain->targets.end(),
                              [](LiveTarget* one) { return one->unused(); });
    if (unused && !drain->cutting) {
      over.push_back(drain.get());
    } else if (!drain->cutting && BootClock::now() >= drain->deadline) {
      drain->cutting = true;
      auto left = std::make_shared<std::atomic<std::size_t>>(workers_.size());
      auto cut = std::make_shared<std::atomic<std::size_t>>(0);
      for (auto& worker : workers_) {
        worker->cut(drain->targets, [this, left, cut, one = drain.get()](std::size_t count) {
          *cut += count;
          if (--*left > 0) return;
          post([this, cut, one] {
            one->cut = *cut;
            end_drain(*one, false);
          });
        });
      }
    }
  }
  for (Drain* drain : over) end_drain(*drain, true);
  for (Drain* drain : given_up) end_drain(*drain, false);
}

void Process::end_drain(Drain& drain, bool complete) {
  std::uint64_t finished = 0;
  for (LiveTarget* target : drain.targets) {
    if (!target->listed) finished += target->finished - target->finished_when_left;
    target->watched = false;
  }
  finished -= std::min<std::uint64_t>(finished, drain.cut);
  failpoint("router.drained.before");
  tell_control(Json::object({{"type", "drained"},
                             {"id", drain.id},
                             {"complete", complete},
                             {"cut", drain.cut},
                             {"finished", finished}}));
  failpoint("router.drained.after");
  std::erase_if(drains_, [&](const auto& one) { return one.get() == &drain; });
  watch_targets();
}

Json Process::counters() const {
  Json releases = Json::object();
  for (const auto& [release, counts] : fleet_.counted()) releases[release] = to_json(counts);
  return Json::object({{"epoch", epoch_},
                       {"after", after_},
                       {"started_ns", nanoseconds(started_)},
                       {"log_lines_dropped", lines_dropped_.load()},
                       {"releases", std::move(releases)}});
}

void Process::answer_counters(const Json& id) {
  Json message = counters();
  message["type"] = "counters";
  message["id"] = id;
  std::string body = message.print();
  if (body.size() <= kLargestInline) return tell_control(message);
  Fd memfd = sealed_memfd("counters", body);
  tell_control(Json::object({{"type", "counters"}, {"id", id}}), {memfd.get()});
}

void Process::tell_control(const Json& message, const std::vector<int>& fds) {
  if (!control_) return;
  try {
    if (!net::send(control_, message, fds, Deadline::after(kControlPatience))) control_.reset();
  } catch (const Error& error) {
    log::error("router.control", error.what());
    control_.reset();
  }
}

void Process::post(std::function<void()> work) {
  posts_.lock()->push_back(std::move(work));
  poke(wake_);
}

void Process::take_posts() {
  clear(wake_);
  for (auto& work : std::exchange(*posts_.lock(), {})) work();
}

}  // namespace holdall::router
