#include "router/exchange.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "router/balance.h"
#include "router/client.h"
#include "router/page.h"

namespace holdall::router {
namespace {

// What a written head has beyond the one that came: the origin's headers.
constexpr std::size_t kAdded = 256;

}  // namespace

Exchange::Exchange(Workspace& work, Client& client, PoolNumber pool, bool internal)
    : work_(work),
      client_(client),
      pool_(pool),
      counters_(&work.unplaced),
      internal_(internal),
      started_(work.now),
      progress_(work.now) {}

Exchange::~Exchange() {
  if (phase_ == Phase::held && hold_until_ != Instant{}) --work_.held;
  if (upstream_) upstream_->close();
  release_target();
}

std::size_t Exchange::accept(std::string_view bytes, const net::http::Head& head, const Origin& origin) {
  if (origin.strip.size() > 1) strip_ = origin.strip;
  flight_.reserve(bytes.size() + kAdded);
  places_ = write_request(bytes, head, origin, flight_);
  head_size_ = flight_.size();
  idempotent_ = net::http::is_idempotent(head.method);
  head_only_ = head.method == "HEAD";
  upgrade_ = wants_upgrade(head);
  old_client_ = head.minor == 0;
  client_keeps_ = head.keep_alive;
  request_ = BodyReader(head.body, head.length);
  if (const LivePool* pool = work_.table->pool(pool_)) largest_body_ = pool->settings.largest_body;
  bool bad = false;
  std::string_view body = bytes.substr(head.size);
  std::size_t taken = request_.take(body, bad);
  flight_.append(body.substr(0, taken));
  if (bad) {
    refuse(400, "the chunked body is malformed");
  } else if (head.length > largest_body_ || request_.payload() > largest_body_) {
    refuse(413, "the body is larger than this service takes");
  }
  return head.size + taken;
}

void Exchange::accept_stream(std::string first) {
  stream_ = true;
  flight_ = std::move(first);
}

void Exchange::dispatch() {
  while (phase_ == Phase::held && !target_) {
    const LivePool* pool = work_.table->pool(pool_);
    if (!pool) return fail(503, Cause::no_instance, "this service has no instance");
    response_timeout_ = pool->settings.response_timeout;
    if (counters_ == &work_.unplaced) counters_ = pool->unplaced;
    if (pool->settings.maintenance && !internal_) return hold(*pool->settings.maintenance, true);
    LiveTarget* target = choose(pool->targets, tried_, work_.rotation);
    if (!target) return hold(pool->settings.hold_timeout, false);
    take(*target);
  }
}

/// Until an instance is there, or the maintenance is over; what follows one of the two begins to wait anew.
void Exchange::hold(std::chrono::milliseconds span, bool maintenance) {
  last_cause_ = tried_.empty() ? Cause::no_instance : Cause::connect;
  const bool held = hold_until_ != Instant{};
  if (held && maintenance == maintenance_) return;
  maintenance_ = maintenance;
  hold_until_ = (held ? work_.now : started_) + span;
  if (!held) ++work_.held;
  if (maintenance && (span.count() == 0 || work_.held > work_.limits.held)) return say_maintenance();
  if (!held && work_.held > work_.limits.held)
    fail(503, Cause::overloaded, "too many requests wait for an instance");
}

void Exchange::on_table() {
  if (phase_ != Phase::held) return;
  tried_.clear();
  dispatch();
}

// One target: a pooled connection to it, or a new one. Leaves the phase at `held` if it does not accept.
void Exchange::take(LiveTarget& target) {
  target_ = &target;
  counters_ = &target.counters;
  ++target.running;
  bool may_replay = idempotent_ && request_.done();
  if (!stream_ && !only_fresh_) upstream_ = take_pooled(work_, target, may_replay);
  reused_ = upstream_ != nullptr;
  if (!upstream_) upstream_ = connect_to(work_, target);
  if (!upstream_) return connect_failed();
  if (hold_until_ != Instant{}) {
    --work_.held;
    hold_until_ = Instant{};
  }
  upstream_->user = this;
  flight_sent_ = 0;
  deaf_ = false;
  progress_ = work_.now;
  phase_ = reused_ ? Phase::relaying : Phase::connecting;
  move();
}

void Exchange::connect_failed() {
  tried_.push_back(target_);
  if (upstream_) discard(work_, std::move(upstream_));
  release_target();
  phase_ = Phase::held;
}

void Exchange::release_target() {
  LiveTarget* target = std::exchange(target_, nullptr);
  if (!target) return;
  --target->running;
  if (target->watched && target->unused()) work_.on_unused();
}

bool Exchange::replayable() const { return all_in_flight_ && (idempotent_ || flight_sent_ == 0); }

void Exchange::upstream_failed(const char* how) {
  if (phase_ == Phase::connecting) {
    connect_failed();
    return dispatch();
  }
  if (reused_ && !answer_heard_ && replayable()) {
    // The instance had closed the pooled connection before it read the request. Once is enough: from now on
    // each connection is a new one.
    only_fresh_ = true;
    discard(work_, std::move(upstream_));
    release_target();
    phase_ = Phase::held;
    return dispatch();
  }
  fail(502, Cause::closed, how);
}

void Exchange::on_sweep() {
  // Its end came together with the request, so that no event of its own told of it.
  if (client_.socket.peer_closed() && !stream_ && phase_ != Phase::tunnel) return left();
  if (phase_ == Phase::held) {
    // Held since targets do not accept: try all of them again. A deadline comes first.
    if (hold_until_ != Instant{} && work_.now >= hold_until_) {
      if (maintenance_) return say_maintenance();
      return fail(503, last_cause_,
                  last_cause_ == Cause::connect ? "no instance of this service accepts connections"
                                                : "this service has no ready instance");
    }
    return on_table();
  }
  auto silent = work_.now - progress_;
  if (phase_ == Phase::connecting) {
    if (silent < work_.limits.connect) return;
    connect_failed();
    return dispatch();
  }
  if (phase_ == Phase::tunnel) {
    if ((client_ended_ || upstream_ended_) && silent >= work_.limits.client_stall) finish(Outcome::served);
    return;
  }
  if (phase_ != Phase::relaying) return;
  if (client_.socket.pending()) {
    if (silent >= work_.limits.client_stall) left();
  } else if (!request_.done() && !deaf_ && flight_sent_ == flight_.size() && !upstream_->socket.pending() &&
             !answer_begun_) {
    if (silent >= work_.limits.client_stall) refuse(408, "the body did not come");
  } else if (silent >= response_timeout_) {
    fail(504, Cause::timeout, "the instance did not answer in time");
  }
}

void Exchange::cut() {
  if (phase_ == Phase::over) return;
  bool begun = answer_begun_ || stream_;
  Client& client = client_;
  if (upstream_) discard(work_, std::move(upstream_));
  status_ = begun ? status_ : 503;
  std::string id(stream_ ? std::string_view() : places_.id.in(flight_));
  bool head_only = head_only_;
  finish(Outcome::cut, "cut at the drain deadline");
  if (begun) return client.abort();
  client.answer(503, "the instance was stopped before it answered", id, false, head_only);
}

void Exchange::fail(int status, Cause cause, std::string_view text) {
  last_cause_ = cause;
  bool begun = answer_begun_ || stream_;
  if (!begun) status_ = status;
  std::string id(stream_ ? std::string_view() : places_.id.in(flight_));
  Client& client = client_;
  bool head_only = head_only_, keep = client_keeps_ && request_.done();
  // An answer that would end with the connection must not look whole.
  finish(Outcome::failed, text);
  if (begun) return client.abort();
  client.answer(status, text, id, keep, head_only);
}

void Exchange::refuse(int status, std::string_view text) {
  bool begun = answer_begun_;
  if (!begun) status_ = status;
  std::string id(places_.id.in(flight_));
  Client& client = client_;
  bool head_only = head_only_;
  finish(Outcome::refused, text);
  if (begun) return client.abort();
  client.answer(status, text, id, false, head_only);
}

void Exchange::say_maintenance() {
  constexpr int kStatus = 503;
  const Page page = maintenance_page(header_in(std::string_view(flight_).substr(0, head_size_), "Accept"));
  if (!stream_) status_ = kStatus;
  std::string id(stream_ ? std::string_view() : places_.id.in(flight_));
  Client& client = client_;
  bool stream = stream_, head_only = head_only_, keep = client_keeps_ && request_.done();
  finish(Outcome::maintenance, "down for maintenance");
  if (stream) return client.abort();
  client.answer_page(kStatus, page, id, keep, head_only);
}

void Exchange::left() {
  Client& client = client_;
  finish(Outcome::left, "the client left");
  client.leave();
}

void Exchange::answer_complete(bool surplus) {
  bool whole_request = request_.done() && flight_sent_ == flight_.size() && !deaf_;
  bool keep = client_keeps_ && whole_request && !answer_.until_close() && !unchunk_;
  if (upstream_keeps_ && whole_request && !surplus && !answer_.until_close())
    put_back(work_, std::move(upstream_));
  Client& client = client_;
  finish(Outcome::served);
  client.answered(keep);
}

// The last thing an exchange does: counts, logs, gives back what it holds. The object goes at the end of the
// round.
void Exchange::finish(Outcome outcome, std::string_view message) {
  if (phase_ == Phase::over) return;
  count(outcome);
  log(outcome, message);
  if (phase_ == Phase::held && hold_until_ != Instant{}) --work_.held;
  phase_ = Phase::over;
  if (upstream_) discard(work_, std::move(upstream_));
  if (target_) ++target_->finished;
  release_target();
}

void Exchange::count(Outcome outcome) {
  ReleaseCounters::PerWorker& mine = counters_->workers[work_.index];
  auto add = [](std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1,
                  std::memory_order_relaxed);  // nobody else writes it
  };
  switch (outcome) {
    case Outcome::served:
      add(mine.served);
      if (status_ >= 500) add(mine.app_5xx);
      break;
    case Outcome::failed: add(mine.failed[static_cast<std::size_t>(last_cause_)]); break;
    case Outcome::cut: add(mine.cut); break;
    case Outcome::left: add(mine.left); break;
    case Outcome::maintenance: add(mine.maintenance); break;
    case Outcome::refused: break;
  }
}

void Exchange::log(Outcome outcome, std::string_view message) {
  RequestSummary line;
  if (!stream_) {
    line.method = places_.method.in(flight_);
    line.path_prefix = strip_;
    line.path = places_.path.in(flight_);
    line.host = places_.host.in(flight_);
    line.agent = places_.agent.in(flight_);
    line.language = places_.language.in(flight_);
    line.id = places_.id.in(flight_);
  }
  line.client = client_.address();
  if (const LivePool* pool = work_.table->pool(pool_)) line.pool = pool->settings.name;
  if (target_) {
    line.release = target_->target.release;
    line.instance = target_->target.id.value;
  }
  line.message = message;
  line.code = outcome == Outcome::left && !answer_begun_ ? 499 : status_;
  line.failed = outcome == Outcome::failed;
  bool well = outcome == Outcome::served && status_ < 500;
  line.error_number = well ? 0 : line.code > 0 ? line.code : 502;
  line.bytes = answer_size_;
  line.took = work_.now - started_;
  work_.log.write(line, system_clock().wall());
}

}  // namespace holdall::router
