#include "answer.h"

#include <strings.h>

#include <charconv>

namespace load {

namespace {

bool is(std::string_view name, std::string_view wanted) {
  return name.size() == wanted.size() && strncasecmp(name.data(), wanted.data(), name.size()) == 0;
}

template <typename Number>
bool parse(std::string_view text, Number& number, int base = 10) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

Answer::State Answer::take(std::string_view bytes) {
  if (!bytes.empty()) begun_ = true;
  if (state_ == State::complete && !bytes.empty()) state_ = State::malformed;
  if (state_ == State::complete || state_ == State::malformed) return state_;
  pending_ += bytes;
  if (state_ == State::head) {
    std::size_t end = pending_.find("\r\n\r\n");
    if (end == std::string::npos) return state_;
    state_ = parse_head(std::string_view(pending_).substr(0, end + 2));
    pending_.erase(0, end + 4);
    if (state_ == State::malformed) return state_;
  }
  if (chunked_) return state_ = take_chunks();
  body_ += pending_;
  pending_.clear();
  if (body_.size() > length_) return state_ = State::malformed;
  return state_ = body_.size() == length_ ? State::complete : State::body;
}

Answer::State Answer::parse_head(std::string_view head) {
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 14 || !parse(head.substr(9, 3), status_))
    return State::malformed;
  bool framed = false;
  for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
    std::size_t end = head.find("\r\n", at), colon = head.find(':', at);
    if (end == std::string_view::npos || colon == std::string_view::npos || colon > end)
      return State::malformed;
    std::string_view field = head.substr(at, colon - at), value = head.substr(colon + 1, end - colon - 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (is(field, "content-length")) {
      if (framed || !parse(value, length_)) return State::malformed;
      framed = true;
    } else if (is(field, "transfer-encoding")) {
      if (framed || !is(value, "chunked")) return State::malformed;
      framed = chunked_ = true;
    } else if (is(field, "connection")) {
      closes_ = is(value, "close");
    } else if (is(field, "x-release")) {
      release_ = value;
    } else if (is(field, "x-checksum")) {
      checksum_ = value;
    }
    at = end + 2;
  }
  return framed ? State::body : State::malformed;
}

Answer::State Answer::take_chunks() {
  for (;;) {
    std::size_t line = pending_.find("\r\n"), size = 0;
    if (line == std::string::npos) return State::body;
    if (!parse(std::string_view(pending_).substr(0, line), size, 16)) return State::malformed;
    if (pending_.size() < line + 2 + size + 2) return State::body;
    if (pending_.compare(line + 2 + size, 2, "\r\n") != 0) return State::malformed;
    body_.append(pending_, line + 2, size);
    pending_.erase(0, line + 2 + size + 2);
    if (size == 0) return pending_.empty() ? State::complete : State::malformed;
  }
}

std::string Answer::fault(const Request& request) const {
  if (status_ != 200) return "status " + std::to_string(status_);
  if (release_.empty()) return "no release named";
  if (request.kind == Kind::page) return "";
  if (request.kind == Kind::stream) {
    std::size_t last = body_.rfind("sha256 ");
    if (last == std::string::npos ||
        body_.substr(last) != "sha256 " + checksum(body_.substr(0, last)) + "\n") {
      return "wrong checksum";
    }
    return "";
  }
  if (checksum_ != checksum(body_)) return "wrong checksum";
  if (request.kind == Kind::post && body_.find(request.checksum) == std::string::npos)
    return "wrong checksum of the post";
  return "";
}

}  // namespace load
