// The half of a connection that answers: heads, bodies, streams, and the handing over of what is upgraded.
#include <fmt/format.h>

#include <array>
#include <ctime>

#include "base/log.h"
#include "net/connection.h"

namespace holdall::net {
namespace {

std::string http_date() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                     kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

void Connection::answered(Outcome outcome) {
  take_outcome(std::move(outcome));
  progress();
}

void Connection::take_outcome(Outcome outcome) {
  record_->fault = std::move(outcome.fault);
  record_->fields = std::move(outcome.fields);
  respond(std::move(outcome.response));
}

void Connection::respond(Response response) {
  bool streams = response.stream && !is_head_ && may_have_body(response.status);
  if (response.length) chunked_ = false, stream_left_ = *response.length;
  has_length_ = response.length.has_value();
  if (streams && !chunked_ && !has_length_) keep_alive_ = false;
  if (stopping_) keep_alive_ = false;
  if ((streams || response.upgrade) && hung_up_) return enter(State::finished);
  if (response.upgrade && stopping_) {
    response = error_response(Error(Error::busy, "the server is being stopped: try again"));
    streams = false;
  }
  write_head(response);
  if (response.upgrade) {
    upgrade_ = std::move(response.upgrade);
    return enter(State::leaving);
  }
  if (!streams) {
    if (!is_head_ && may_have_body(response.status)) out_ += response.body;
    end_of_answer();
    return;
  }
  stream_ = std::move(response.stream);
  enter(State::streaming);
  try {
    stream_->start(owner_.waker(id_));
  } catch (const std::exception& error) {
    log::error("http.stream", error.what());
    keep_alive_ = false;
    enter(State::closing);
  }
}

void Connection::write_head(const Response& response) {
  record_->status = response.status;
  auto out = std::back_inserter(out_);
  fmt::format_to(out, "HTTP/1.1 {} {}\r\nDate: {}\r\nX-Request-ID: {}\r\n", response.status,
                 http::reason_phrase(response.status), http_date(), record_->id);
  for (const auto& [name, value] : response.headers) fmt::format_to(out, "{}: {}\r\n", name, value);
  if (may_have_body(response.status)) {
    bool has_content = response.stream || !response.body.empty();
    if (has_content) fmt::format_to(out, "Content-Type: {}\r\n", response.content_type);
    if (!response.stream) fmt::format_to(out, "Content-Length: {}\r\n", response.body.size());
    if (response.stream && has_length_) fmt::format_to(out, "Content-Length: {}\r\n", *response.length);
    if (response.stream && chunked_) out_ += "Transfer-Encoding: chunked\r\n";
  }
  if (response.upgrade) {
    out_ += "Connection: Upgrade\r\n";
  } else if (!keep_alive_) {
    out_ += "Connection: close\r\n";
  }
  out_ += "\r\n";
}

/// What the source has; "" and on its way to the end when the source fails: the client sees its answer cut.
std::optional<std::string> Connection::next_piece() {
  try {
    return stream_->next();
  } catch (const std::exception& error) {
    log::error("http.stream", error.what());
    keep_alive_ = false;
    enter(State::closing);
    return "";
  }
}

/// False: nothing came, and the source will call its waker.
bool Connection::pull() {
  bool got = false;
  while (unsent() <= kMostUnsent) {
    auto piece = next_piece();
    if (!piece) {
      if (chunked_) out_ += "0\r\n\r\n";
      if (has_length_ && stream_left_) keep_alive_ = false;  // it gave less than it told
      end_of_answer();
      return true;
    }
    if (piece->empty()) break;
    got = true;
    if (has_length_) {
      piece->resize(std::min<std::uint64_t>(piece->size(), stream_left_));
      stream_left_ -= piece->size();
    }
    if (chunked_) {
      fmt::format_to(std::back_inserter(out_), "{:x}\r\n{}\r\n", piece->size(), *piece);
    } else {
      out_ += *piece;
    }
  }
  // What the source had when the server was stopped has been sent; it gets no time to find more.
  if (stopping_ && !got) enter(State::closing);
  return got || state_ != State::streaming;
}

void Connection::end_of_answer() { enter(keep_alive_ ? State::head : State::closing); }

void Connection::give_away() {
  owner_.forget(id_);
  Upgraded given{std::move(bytes_), std::move(in_)};
  auto take = std::move(upgrade_);
  enter(State::finished);
  try {
    take(std::move(given));
  } catch (const std::exception& error) {
    log::error("http.upgrade", error.what());
  }
}

}  // namespace holdall::net
