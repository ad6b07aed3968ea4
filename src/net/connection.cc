#include "net/connection.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/id.h"
#include "base/log.h"
#include "net/routes.h"

namespace holdall::net {
namespace {

using namespace std::chrono_literals;

// Longer than a client's own idle time (a minute, commonly), so that it is the client who closes.
constexpr auto kIdle = 75s;
// A client that neither sends nor reads for so long is not coming back. Streams are exempt: a paused `logs
// -f` is alive.
constexpr auto kNoProgress = 60s;
// Who has to say who it is, by a line or a handshake, does so at once.
constexpr auto kIntroduction = 10s;
// Time for the client to read the answer before it learns that the rest of its request is unwanted.
constexpr auto kLinger = 2s;

// So that one client that sends or reads without end lets the others have their turn.
constexpr int kMostReads = 16;
constexpr int kMostPulls = 16;

std::unique_ptr<Stream> stream_over(Fd socket, const Listener& listener) {
  if (listener.stream) return listener.stream(std::move(socket));
  return std::make_unique<PlainStream>(std::move(socket));
}

std::string remote_host(const Fd& socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  bool known = getpeername(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0;
  return known ? address_of(storage).host : "";
}

}  // namespace

Connection::Connection(std::uint64_t id, Fd socket, const Listener& listener,
                       const std::vector<Route>& routes, const ServerOptions& options, ConnectionOwner& owner)
    : id_(id),
      bytes_(stream_over(std::move(socket), listener)),
      routes_(routes),
      options_(options),
      owner_(owner),
      peer_(peer(bytes_->socket())),
      remote_(remote_host(bytes_->socket())),
      listener_(listener.name),
      state_(listener.introduces ? State::introduction : State::head),
      deadline_(BootClock::now() + (listener.introduces || listener.stream ? kIntroduction : kIdle)) {}

Connection::~Connection() { conclude(); }

std::uint32_t Connection::interest() const {
  std::uint32_t hang_up = hung_up_ ? 0U : std::uint32_t{EPOLLRDHUP};
  bool reading = reads() || state_ == State::lingering;
  // A cipher may have to write before it can read, and the other way round.
  bool otherwise = !bytes_->is_plain() &&
                   (unsent() ? bytes_->waits_for() == POLLIN : reading && bytes_->waits_for() == POLLOUT);
  if (wants_turn_) return EPOLLOUT | hang_up;
  if (unsent()) return (otherwise ? EPOLLIN : EPOLLOUT) | hang_up;
  if (reading) return (otherwise ? EPOLLOUT : EPOLLIN) | hang_up;
  return hang_up;
}

bool Connection::reads() const {
  return state_ == State::introduction || state_ == State::head || state_ == State::body;
}

void Connection::writable() {
  progress();
  if (!bytes_->is_plain() && bytes_->waits_for() == POLLOUT) readable();
}

void Connection::readable() {
  if (state_ == State::lingering) return discard_input();
  if (!bytes_->is_plain() && unsent()) progress();
  if (!reads() || unsent()) return;
  std::array<char, 16 << 10> buffer;
  for (int i = 0; i < kMostReads && !finished() && !unsent(); ++i) {
    if (!reads()) return;
    ssize_t got = bytes_->receive(buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) end_of_input_ = true;
    if (got > 0) {
      if (in_.empty() || state_ == State::body) deadline_ = BootClock::now() + kNoProgress;
      in_.append(buffer.data(), static_cast<std::size_t>(got));
    }
    progress();
  }
}

void Connection::hung_up() {
  hung_up_ = true;
  // Nobody reads a stream any more; a plain answer is still sent, as the client may only have ended its own
  // half.
  if (state_ == State::streaming) enter(State::finished);
}

void Connection::stop() {
  stopping_ = true;
  keep_alive_ = false;
  readable();  // a request that has come before the stop is answered
  if ((state_ == State::head || state_ == State::introduction) && in_.empty()) enter(State::closing);
  progress();
}

void Connection::expire() {
  if (BootClock::now() >= deadline_) enter(State::finished);
}

/// Goes on as far as it can without waiting.
void Connection::progress() {
  wants_turn_ = false;
  for (int pulls = 0; flush();) {
    switch (state_) {
      case State::introduction:
        if (!take_introduction()) return;
        break;
      case State::head:
        if (!take_head()) return;
        break;
      case State::body:
        if (!take_body()) return;
        break;
      case State::streaming:
        wants_turn_ = pulls == kMostPulls;
        if (wants_turn_ || !pull()) return;
        ++pulls;
        break;
      case State::leaving: give_away(); return;
      case State::closing:
        if (linger_ && !end_of_input_) shutdown(fd(), SHUT_WR);
        enter(linger_ && !end_of_input_ ? State::lingering : State::finished);
        return;
      case State::handling:
      case State::lingering:
      case State::finished: return;
    }
  }
}

bool Connection::flush() {
  while (unsent()) {
    ssize_t sent = bytes_->send(std::string_view(out_).substr(sent_));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return false;
    if (sent < 0) {
      enter(State::finished);
      return false;
    }
    sent_ += static_cast<std::size_t>(sent);
    if (state_ != State::streaming) deadline_ = BootClock::now() + kNoProgress;
  }
  out_.clear();
  if (out_.capacity() > kMostUnsent) out_.shrink_to_fit();
  sent_ = 0;
  return true;
}

/// Without it there is nobody to answer to.
bool Connection::take_introduction() {
  constexpr std::string_view kAs = "as ";
  constexpr std::size_t kLongest = 128;
  std::size_t end = in_.find('\n');
  if (end == in_.npos && in_.size() < kLongest && !end_of_input_) return false;
  if (end == in_.npos || end > kLongest || !in_.starts_with(kAs)) {
    enter(State::finished);
    return false;
  }
  introduced_ = in_.substr(kAs.size(), end - kAs.size());
  in_.erase(0, end + 1);
  enter(State::head);
  return true;
}

bool Connection::take_head() {
  http::Head head;
  auto [result, reason] = http::parse_request(in_, head, http::kMaxHead, scanned_);
  switch (result) {
    case http::Result::complete: begin(head); return true;
    case http::Result::incomplete:
      scanned_ = in_.size();
      if (end_of_input_ || (stopping_ && in_.empty())) enter(State::finished);
      return false;
    case http::Result::bad:
      forget_request();
      refuse(Error(Error::invalid, fmt::format("malformed request: {}", reason)));
      return true;
    case http::Result::too_large:
      constexpr int kHeadersTooLarge = 431;
      forget_request();
      refuse(Error(Error::invalid, "the request's head is too large"), kHeadersTooLarge);
      return true;
  }
  return false;
}

void Connection::forget_request() {
  request_ = {};
  body_.reset();
  record_.emplace().id = random_uuid();
  if (!remote_.empty()) record_->addresses.push_back(remote_);
  begun_ = BootClock::now();
  is_head_ = keep_alive_ = linger_ = false;
}

void Connection::begin(const http::Head& head) {
  forget_request();
  record_ = begin_record(head, remote_);
  is_head_ = head.method == "HEAD";
  keep_alive_ = head.keep_alive && !stopping_;
  chunked_ = head.minor >= 1;
  request_.method = head.method;
  request_.query = head.query;
  request_.peer = peer_;
  request_.remote = remote_;
  request_.listener = listener_;
  request_.introduced = introduced_;
  request_.headers.reserve(head.header_count + 1);
  for (std::size_t i = 0; i < head.header_count; ++i) {
    if (head.known[i] == http::Known::x_request_id) continue;
    request_.headers.emplace_back(head.headers[i].name, head.headers[i].value);
  }
  request_.headers.emplace_back("X-Request-ID", record_->id);
  bool wants_body = head.body != http::Body::none;
  bool expects = head.expect_continue;
  try {
    request_.path = percent_decode(head.path);
    Match match = find_route(routes_, head.method, head.path);
    if (!match.route && !match.allow.empty()) {
      constexpr int kMethodNotAllowed = 405;
      Response answer = error_response(Error(
          Error::invalid, fmt::format("{} is not for {}: use {}", head.method, request_.path, match.allow)));
      answer.status = kMethodNotAllowed;
      answer.headers.emplace_back("Allow", match.allow);
      if (wants_body) keep_alive_ = false, linger_ = true;
      in_.erase(0, head.size);
      return respond(std::move(answer));
    }
    if (!match.route) throw Error(Error::missing, fmt::format("nothing is at {}", request_.path));
    route_ = match.route;
    request_.parameters = std::move(match.parameters);
    if (wants_body && route_->admits && !route_->admits(request_)) {
      keep_alive_ = false, linger_ = true;
    } else if (wants_body) {
      body_.emplace(head, options_.largest_body, options_.spool_dir);
    }
  } catch (const Error& error) {
    if (wants_body) keep_alive_ = false, linger_ = true;
    in_.erase(0, head.size);
    return respond(error_response(error));
  }
  in_.erase(0, head.size);
  scanned_ = 0;
  if (!body_) return dispatch();
  enter(State::body);
  if (expects && in_.empty() && !body_->too_large()) out_ += "HTTP/1.1 100 Continue\r\n\r\n";
}

bool Connection::take_body() {
  try {
    in_.erase(0, body_->feed(in_));
  } catch (const Error& error) {
    refuse(error);
    return true;
  }
  if (body_->too_large()) {
    constexpr int kContentTooLarge = 413;
    refuse(Error(Error::invalid, fmt::format("the body is larger than {} bytes", options_.largest_body)),
           kContentTooLarge);
    return true;
  }
  if (!body_->done()) {
    if (end_of_input_) enter(State::finished);
    return false;
  }
  request_.body = body_->take_memory();
  request_.body_file = body_->take_file();
  body_.reset();
  dispatch();
  return true;
}

void Connection::dispatch() {
  enter(State::handling);
  if (route_->lane == Lane::loop) return take_outcome(run_handler(*route_, request_));
  if (!owner_.dispatch(id_, *route_, std::move(request_))) {
    respond(error_response(Error(Error::busy, "the server is overloaded: try again")));
  }
}

/// An answer after which the connection cannot go on: where the next request would begin is not known.
void Connection::refuse(const Error& error, int status) {
  keep_alive_ = false;
  linger_ = true;
  Response answer = error_response(error);
  if (status) answer.status = status;
  respond(std::move(answer));
}
/// Tells of the request under way, if there is one: it has been answered, or never will be.
void Connection::conclude() {
  if (!record_) return;
  RequestRecord record = *std::exchange(record_, std::nullopt);
  record.took = BootClock::now() - begun_;
  if (options_.record) return options_.record(record);
  if (record.fault.empty()) return;
  log::error("http.handler", fmt::format("{} {}: {}", record.method, record.path, record.fault),
             Json::object({{"rid", record.id}}));
}

void Connection::enter(State state) {
  state_ = state;
  if (state == State::head || state == State::closing || state == State::finished) conclude();
  if (state != State::streaming) stream_.reset();
  switch (state) {
    case State::head:
      scanned_ = 0;
      deadline_ = BootClock::now() + (in_.empty() && !unsent() ? kIdle : kNoProgress);
      break;
    case State::body:
    case State::leaving:
    case State::closing: deadline_ = BootClock::now() + kNoProgress; break;
    case State::lingering: deadline_ = BootClock::now() + kLinger; break;
    case State::introduction:
    case State::handling:
    case State::streaming:
    case State::finished: deadline_ = Instant::max(); break;
  }
}

void Connection::discard_input() {
  std::array<char, 16 << 10> buffer;
  for (int i = 0; i < kMostReads; ++i) {
    ssize_t got = bytes_->receive(buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) return enter(State::finished);
  }
}

}  // namespace holdall::net
