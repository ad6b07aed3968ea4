// The part of an exchange that moves bytes. The buffer is the worker's: what cannot be sent at once is kept
// by the socket it is for, and as long as that keeps something, nothing more is read from the other.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "router/client.h"
#include "router/exchange.h"

namespace holdall::router {
namespace {

// Receives in a row before other connections have their turn: a megabyte.
constexpr int kTurns = 16;

// A response head larger than this is an app's fault; the request's limit is in `Limits`.
constexpr std::size_t kLargestAnswerHead = 48 << 10;

}  // namespace

void Exchange::on_client() {
  if (phase_ == Phase::over) return;
  StreamSocket& socket = client_.socket;
  // A client that has closed its sending side is taken for gone: nothing tells it from one that has closed
  // both.
  if (socket.broken() || (socket.peer_closed() && !stream_ && phase_ != Phase::tunnel)) return left();
  if (phase_ == Phase::relaying || phase_ == Phase::tunnel) move();
}

void Exchange::on_upstream() {
  if (phase_ != Phase::over) move();
}

bool Exchange::move() {
  if (phase_ == Phase::connecting && !check_connected()) return false;
  if (phase_ == Phase::connecting) return true;
  if (phase_ == Phase::tunnel) return pump_tunnel();
  if (client_.socket.pending() && client_.socket.writable()) progress_ = work_.now;
  if (!client_.socket.flush()) return left(), false;
  if (!send_flight()) return false;
  if (phase_ == Phase::tunnel) return pump_tunnel();
  return pump_request() && pump_answer();
}

// A connection to the same machine is often made before `connect` has returned, so sending is tried first of
// all.
bool Exchange::check_connected() {
  bool untried = !upstream_->socket.writable() && !upstream_->socket.broken();
  if (untried && !flight_.empty()) {
    long sent = upstream_->socket.send_some(flight_);
    if (sent > 0) {
      flight_sent_ = static_cast<std::size_t>(sent);
      phase_ = Phase::relaying;
      return true;
    }
  }
  int error = upstream_->connect_error();
  if (error == EINPROGRESS && !upstream_->socket.broken()) return true;
  if (error != 0 || upstream_->socket.broken()) return upstream_failed("the instance did not accept"), false;
  phase_ = Phase::relaying;
  return true;
}

bool Exchange::send_flight() {
  StreamSocket& socket = upstream_->socket;
  if (flight_sent_ < flight_.size() && !deaf_) {
    long sent = socket.send_some(std::string_view(flight_).substr(flight_sent_));
    if (sent < 0) {
      deaf_ = true;
      return true;
    }
    flight_sent_ += static_cast<std::size_t>(sent);
    if (flight_sent_ < flight_.size()) return true;
  }
  if (stream_) {
    phase_ = Phase::tunnel;
    return true;
  }
  if (socket.pending() && socket.writable()) progress_ = work_.now;
  if (!deaf_ && !socket.flush()) deaf_ = true;
  return true;
}

bool Exchange::pump_request() {
  StreamSocket& from = client_.socket;
  StreamSocket& to = upstream_->socket;
  for (int turn = 0; turn < kTurns; ++turn) {
    bool wanted = !request_.done() && !deaf_ && flight_sent_ == flight_.size() && !to.pending();
    if (!wanted || !from.readable()) return true;
    auto got = from.receive(work_.receive_at(), Workspace::kReceive);
    if (got.got == StreamSocket::Got::nothing) return true;
    if (got.got != StreamSocket::Got::bytes) return left(), false;
    if (!forward_request(got.bytes)) return false;
  }
  client_.ask_again();
  return true;
}

bool Exchange::forward_request(std::string_view bytes) {
  progress_ = work_.now;
  bool bad = false;
  std::size_t taken = request_.take(bytes, bad);
  if (bad) return refuse(400, "the chunked body is malformed"), false;
  if (request_.payload() > largest_body_)
    return refuse(413, "the body is larger than this service takes"), false;
  all_in_flight_ = false;
  if (!upstream_->socket.send(bytes.substr(0, taken))) deaf_ = true;
  client_.keep_input(bytes.substr(taken));
  return true;
}

bool Exchange::pump_answer() {
  for (int turn = 0; turn < kTurns; ++turn) {
    StreamSocket& from = upstream_->socket;
    if (!from.readable() || client_.socket.pending()) return true;
    // The start of a head that came before goes in front of its rest.
    std::size_t prior = upstream_->input.size();
    std::memcpy(work_.receive_at(), upstream_->input.data(), prior);
    auto got = from.receive(work_.receive_at() + prior, Workspace::kReceive - prior);
    if (got.got == StreamSocket::Got::nothing) return true;
    if (got.got == StreamSocket::Got::end && answer_.until_close() && answer_begun_)
      return answer_complete(false), false;
    if (got.got != StreamSocket::Got::bytes)
      return upstream_failed("the instance closed the connection"), false;
    progress_ = work_.now;
    answer_heard_ = true;
    upstream_->input.clear();
    if (!answer_bytes({work_.receive_at(), prior + got.bytes.size()})) return false;
    if (phase_ == Phase::tunnel) return pump_tunnel();
  }
  client_.ask_again();
  return true;
}

bool Exchange::answer_bytes(std::string_view bytes) {
  while (!answer_begun_) {
    std::size_t used = 0;
    if (!answer_head(bytes, used)) return false;
    if (used == 0 || used == bytes.size()) return true;
    bytes.remove_prefix(used);
  }
  return answer_body({}, bytes);
}

// One head at the start of `bytes`. A final one is passed on together with the body that came with it, and
// `used` is all of that; an interim one alone. With nothing used, the rest of the head is still to come.
bool Exchange::answer_head(std::string_view bytes, std::size_t& used) {
  net::http::Head& head = work_.head;
  std::string_view method = head_only_ ? "HEAD" : "GET";
  net::http::Parsed parsed = net::http::parse_response(bytes, method, head, kLargestAnswerHead);
  if (parsed.result == net::http::Result::incomplete) {
    upstream_->input.assign(bytes);
    return true;
  }
  bool unasked = head.status == 101 && !upgrade_;
  if (parsed.result != net::http::Result::complete || unasked) {
    return fail(502, Cause::bad_answer, "the instance's answer is no valid HTTP"), false;
  }
  std::string& out = work_.scratch;
  out.clear();
  used = head.size;
  if (head.status < 200 && head.status != 101) {
    if (old_client_) return true;
    write_answer(bytes, head, {}, out);
    return client_.socket.send(out) || (left(), false);
  }
  status_ = head.status;
  upstream_keeps_ = head.keep_alive;
  answer_ = BodyReader(head.body, head.length);
  unchunk_ = old_client_ && answer_.chunked();
  bool whole_request = request_.done() && !deaf_;
  client_keeps_ = client_keeps_ && whole_request && !answer_.until_close() && !unchunk_ && !work_.ending;
  AnswerShape shape;
  shape.id = places_.id.in(flight_);
  shape.close = !client_keeps_ && head.status != 101;
  shape.say_keep_alive = client_keeps_ && old_client_;
  shape.unchunk = unchunk_;
  write_answer(bytes, head, shape, out);
  answer_begun_ = true;
  forget_flight();
  std::string_view rest = bytes.substr(head.size);
  used = bytes.size();
  if (head.status == 101) return start_tunnel(rest);
  return answer_body(out, rest);
}

// It will not be sent again: of what was sent, only the head is still needed, for the log.
void Exchange::forget_flight() {
  if (flight_sent_ < flight_.size() || flight_.size() == head_size_) return;
  flight_.resize(head_size_);
  flight_.shrink_to_fit();
  flight_sent_ = head_size_;
}

// `head`, if there is one, stands in the scratch space and belongs before `bytes`, which have room in front
// of them.
bool Exchange::answer_body(std::string_view head, std::string_view bytes) {
  bool bad = false;
  std::size_t taken;
  bool sent;
  if (unchunk_) {
    std::string plain(head);
    taken = answer_.take(bytes, bad, [&](std::string_view data) { plain.append(data); });
    sent = client_.socket.send(plain);
  } else {
    taken = answer_.take(bytes, bad);
    std::string_view out = bytes.substr(0, taken);
    if (!head.empty()) {
      char* start =
          const_cast<char*>(bytes.data()) - head.size();  // within the workspace's buffer: see kHeadroom
      std::memcpy(start, head.data(), head.size());
      out = {start, head.size() + taken};
    }
    sent = out.empty() || client_.socket.send(out);
  }
  answer_size_ = answer_.payload();
  if (!sent) return left(), false;
  if (bad) return fail(502, Cause::bad_answer, "the instance's chunked answer is malformed"), false;
  if (answer_.done()) return answer_complete(taken < bytes.size()), false;
  return true;
}

bool Exchange::start_tunnel(std::string_view rest) {
  phase_ = Phase::tunnel;
  std::string to_client = work_.scratch;
  to_client += rest;
  answer_size_ += rest.size();
  if (!client_.socket.send(to_client)) return left(), false;
  std::string early = flight_.substr(flight_sent_);
  early += client_.take_input();
  flight_sent_ = flight_.size();
  if (!early.empty() && !upstream_->socket.send(early)) upstream_ended_ = true;
  return true;
}

// Both ways until both sides have ended; the end of one is passed on to the other.
bool Exchange::pump_tunnel() {
  bool alive = relay(client_.socket, upstream_->socket, client_ended_) &&
               relay(upstream_->socket, client_.socket, upstream_ended_);
  if (status_ == 0) status_ = 200;
  if (alive &&
      !(client_ended_ && upstream_ended_ && !client_.socket.pending() && !upstream_->socket.pending()))
    return true;
  Client& client = client_;
  finish(Outcome::served);
  client.leave();
  return false;
}

bool Exchange::relay(StreamSocket& from, StreamSocket& to, bool& ended) {
  if (to.pending() && to.writable()) progress_ = work_.now;
  if (!to.flush()) return false;
  for (int turn = 0; turn < kTurns; ++turn) {
    if (ended || !from.readable() || to.pending()) return true;
    auto got = from.receive(work_.receive_at(), Workspace::kReceive);
    if (got.got == StreamSocket::Got::nothing) return true;
    progress_ = work_.now;
    if (got.got == StreamSocket::Got::end) {
      ended = true;
      to.shut_down();
    } else if (got.got == StreamSocket::Got::broken) {
      return false;
    } else {
      if (&to == &client_.socket) answer_size_ += got.bytes.size();
      if (!to.send(got.bytes)) return false;
    }
  }
  client_.ask_again();
  return true;
}

}  // namespace holdall::router
