#include "router/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace holdall::router {
namespace {

// What may come after the answer and is thrown away; who sends more is cut off.
constexpr int kLingerReceives = 256;

constexpr std::string_view kMethodStart = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
// The longest registered method is UPDATEREDIRECTREF.
constexpr std::size_t kLongestMethod = 17;

enum class Sniffed { http, stream, unsure };

// HTTP begins with a method in capitals, a blank and a target: what other protocols begin with capitals and a
// blank (Redis typed by hand, FTP, SMTP) does not go on with a slash, a star or a URL.
Sniffed sniffed(std::string_view bytes) {
  std::size_t method = std::min(bytes.find_first_not_of(kMethodStart), bytes.size());
  if (method > kLongestMethod || (method < bytes.size() && (method < 3 || bytes[method] != ' ')))
    return Sniffed::stream;
  std::string_view target = bytes.substr(std::min(method + 1, bytes.size()));
  if (target.empty()) return Sniffed::unsure;
  if (target.starts_with('/') || target.starts_with("* ") || target.starts_with("http")) return Sniffed::http;
  return std::string_view("http").starts_with(target) || target == "*" ? Sniffed::unsure : Sniffed::stream;
}

}  // namespace

Client::Client(Workspace& work, Fd fd, std::string address, const Door& door)
    : socket(std::move(fd)), work_(work), address_(std::move(address)), door_(door) {}

void Client::begin(std::list<Client>::iterator self) {
  self_ = self;
  if (door_.kind == Listener::tcp) return start_stream({});
  state_ = door_.kind == Listener::detect ? State::sniffing : State::head;
  deadline_ = work_.now + (door_.kind == Listener::detect ? work_.limits.sniff : work_.limits.head);
}

void Client::on_event(std::uint32_t events) {
  if (state_ == State::gone) return;
  socket.note(events);
  on_again();
}

void Client::ask_again() {
  if (again_) return;
  again_ = true;
  work_.again.push_back(this);
}

void Client::on_again() {
  again_ = false;
  switch (state_) {
    case State::sniffing: return sniff(false);
    case State::head: return advance();
    case State::busy: return exchange_->on_client();
    case State::flushing: {
      if (!socket.flush()) return leave();
      deadline_ = work_.now + work_.limits.client_stall;
      if (!socket.pending()) after_answer();
      return;
    }
    case State::lingering: return drain_input();
    case State::gone: return;
  }
}

void Client::on_sweep() {
  if (state_ == State::busy) return exchange_->on_sweep();
  if (work_.now < deadline_) return;
  if (state_ == State::sniffing) return sniff(true);
  if (state_ == State::head && input_.size() > input_at_)
    return refuse(408, "the request's head did not come in time");
  leave();
}

void Client::on_table() {
  if (state_ == State::busy) exchange_->on_table();
}

void Client::on_stop() {
  if (state_ == State::head && input_.size() == input_at_) leave();
}

void Client::on_end() {
  if (idle_) deadline_ = std::min(deadline_, work_.now + work_.limits.idle_at_end);
}

bool Client::cut(const std::vector<LiveTarget*>& targets) {
  if (state_ != State::busy) return false;
  if (std::find(targets.begin(), targets.end(), exchange_->target()) == targets.end()) return false;
  exchange_->cut();
  return true;
}

// Requests that came together are handled one after another here, so that no number of them nests.
void Client::advance() {
  if (advancing_) return;
  advancing_ = true;
  while (state_ == State::head && next_request()) {
  }
  advancing_ = false;
  if (state_ == State::head) wait_for_request();
}

bool Client::next_request() {
  net::http::Head& head = work_.head;
  std::string_view bytes = std::string_view(input_).substr(input_at_);
  if (bytes.size() <= scanned_) {
    if (!socket.readable()) return false;
    auto got = socket.receive(work_.receive_at(), Workspace::kReceive);
    if (got.got == StreamSocket::Got::nothing) return false;
    if (got.got != StreamSocket::Got::bytes) return leave(), false;
    if (bytes.empty()) {
      input_ = {};
      input_at_ = 0;
      bytes = got.bytes;
    } else {
      input_.append(got.bytes);
      bytes = std::string_view(input_).substr(input_at_);
    }
  }
  auto parsed = net::http::parse_request(bytes, head, work_.limits.largest_head, scanned_);
  if (parsed.result == net::http::Result::complete) {
    start_request(bytes);
    return true;
  }
  if (parsed.result == net::http::Result::incomplete) {
    if (scanned_ == 0) deadline_ = work_.now + work_.limits.head;
    scanned_ = bytes.size();
    if (input_.size() == input_at_) input_.assign(bytes);
    return true;
  }
  refuse(parsed.result == net::http::Result::too_large ? 431 : 400, parsed.reason);
  return false;
}

void Client::start_request(std::string_view bytes) {
  const net::http::Head& head = work_.head;
  if (idle_) work_.active.splice(work_.active.end(), work_.idle, self_);
  idle_ = false;
  scanned_ = 0;
  PoolNumber pool = door_.pool;
  std::string_view id = work_.ids.next();
  Origin origin{.client = address_, .port = door_.port, .id = id, .strip = {}};
  if (head.method == "CONNECT") return refuse(405, "this is no forward proxy: CONNECT is not served");
  if (door_.kind == Listener::http) {
    const LiveRoute* route = work_.table ? work_.table->route(head.host, head.path) : nullptr;
    if (!route) {
      std::string text = fmt::format("no app is served here at host '{}', path '{}'", head.host, head.path);
      return refuse(404, text);
    }
    pool = route->pool;
    if (route->strip) origin.strip = route->path;
  }
  state_ = State::busy;
  keep_ = head.keep_alive;
  exchange_ = std::make_unique<Exchange>(work_, *this, pool, door_.internal);
  std::size_t used = exchange_->accept(bytes, head, origin);
  if (state_ != State::busy) return;  // its body was refused
  if (input_.size() == input_at_) {
    input_.assign(bytes.substr(used));
    input_at_ = 0;
  } else {
    input_at_ += used;
  }
  if (input_at_ == input_.size()) {
    input_ = {};
    input_at_ = 0;
  }
  exchange_->dispatch();
}

// A request that no exchange was made for.
void Client::refuse(int status, std::string_view reason) {
  std::string id(work_.ids.next());
  RequestSummary line;
  if (status == 404 || status == 405) {
    line.method = work_.head.method;
    line.path = work_.head.path;
    line.host = work_.head.host;
  }
  line.id = id;
  line.client = address_;
  line.code = line.error_number = status;
  line.message = reason;
  work_.log.write(line, system_clock().wall());
  answer(status, reason, id, false);
}

void Client::answer(int status, std::string_view text, std::string_view id, bool keep, bool head_only) {
  std::string body(text);
  body += '\n';
  const int retry_after = status == 503 ? 5 : 0;  // an instance that is started again is back by then
  answer_page(status, {"text/plain; charset=utf-8", body, retry_after}, id, keep, head_only);
}

void Client::answer_page(int status, const Page& page, std::string_view id, bool keep, bool head_only) {
  keep = keep && !work_.ending;
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Request-ID: {}\r\n", status,
                  net::http::reason_phrase(status), page.type, page.body.size(), id);
  if (page.retry_after > 0) out += fmt::format("Retry-After: {}\r\n", page.retry_after);
  out += keep ? "\r\n" : "Connection: close\r\n\r\n";
  if (!head_only) out += page.body;
  if (!socket.send(out)) return leave();
  answered(keep);
}

void Client::answered(bool keep) {
  if (exchange_) work_.gone_exchanges.push_back(std::move(exchange_));
  if (state_ == State::gone) return;
  keep_ = keep && !work_.stopping;
  state_ = State::flushing;
  deadline_ = work_.now + work_.limits.client_stall;
  if (!socket.pending()) after_answer();
}

void Client::after_answer() {
  if (!keep_) return begin_linger();
  state_ = State::head;
  deadline_ = work_.now + (work_.ending ? work_.limits.idle_at_end : work_.limits.idle);
  advance();
}

void Client::wait_for_request() {
  if (work_.stopping && input_.size() == input_at_) return leave();
  if (!idle_ && input_.size() == input_at_) {
    work_.idle.splice(work_.idle.end(), work_.active, self_);
    idle_ = true;
  } else if (idle_ && input_.size() > input_at_) {
    work_.active.splice(work_.active.end(), work_.idle, self_);
    idle_ = false;
  }
}

void Client::begin_linger() {
  state_ = State::lingering;
  input_ = {};
  input_at_ = 0;
  deadline_ = work_.now + work_.limits.linger;
  socket.shut_down();
  drain_input();
}

void Client::drain_input() {
  for (int i = 0; i < kLingerReceives && socket.readable(); ++i) {
    auto got = socket.receive(work_.receive_at(), Workspace::kReceive);
    if (got.got == StreamSocket::Got::nothing) return;
    if (got.got != StreamSocket::Got::bytes) return leave();
  }
  if (socket.broken()) leave();
}

void Client::sniff(bool silent) {
  if (socket.readable()) {
    auto got = socket.receive(work_.receive_at(), Workspace::kReceive);
    if (got.got == StreamSocket::Got::broken || (got.got == StreamSocket::Got::end && input_.empty()))
      return leave();
    if (got.got == StreamSocket::Got::end) return start_stream(take_input());
    input_.append(got.bytes);
  }
  Sniffed kind = input_.empty() ? Sniffed::unsure : sniffed(input_);
  if (kind == Sniffed::unsure && !silent) return;
  if (kind != Sniffed::http) return start_stream(take_input());
  state_ = State::head;
  deadline_ = work_.now + work_.limits.head;
  advance();
}

void Client::start_stream(std::string first) {
  state_ = State::busy;
  exchange_ = std::make_unique<Exchange>(work_, *this, door_.pool, door_.internal);
  exchange_->accept_stream(std::move(first));
  exchange_->dispatch();
}

std::string Client::take_input() {
  std::string rest = input_.substr(input_at_);
  input_ = {};
  input_at_ = 0;
  return rest;
}

void Client::leave() {
  socket.close();
  end();
}

void Client::abort() {
  socket.abort();
  end();
}

void Client::end() {
  if (state_ == State::gone) return;
  state_ = State::gone;
  if (exchange_) work_.gone_exchanges.push_back(std::move(exchange_));
  if (again_) std::erase(work_.again, this);
  work_.gone_clients.splice(work_.gone_clients.end(), idle_ ? work_.idle : work_.active, self_);
}

}  // namespace holdall::router
