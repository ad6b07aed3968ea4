#include <algorithm>

#include "net/http.h"

namespace holdall::net::http {
namespace {

// Beyond any extension or trailer that is in use; a peer may not make us read framing for ever.
constexpr std::uint16_t kLargestLine = 4096;
constexpr std::uint32_t kLargestTrailers = 16 << 10;
// 15 digits reach 2^60 bytes and cannot overflow.
constexpr std::uint8_t kMostDigits = 15;

int hex_digit(unsigned char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; }

bool is_name(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

}  // namespace

bool ChunkedReader::framing(unsigned char c) {
  switch (state_) {
    case State::size: {
      if (int digit = hex_digit(c); digit >= 0) {
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        return ++digits_ <= kMostDigits;
      }
      if (digits_ == 0 || (c != '\r' && c != ';')) return false;
      digits_ = 0;
      line_ = 0;
      state_ = c == '\r' ? State::size_lf : State::extension;
      return true;
    }
    case State::extension:
      if (c == '\r') return state_ = State::size_lf, true;
      return !is_control(c) && ++line_ <= kLargestLine;
    case State::size_lf:
      line_ = 0;
      state_ = left_ > 0 ? State::data : State::name;
      return c == '\n';
    case State::data_cr: return state_ = State::data_lf, c == '\r';
    case State::data_lf: return state_ = State::size, c == '\n';
    case State::name:
      if (c == '\r' && line_ == 0) return state_ = State::end_lf, true;
      if (c == ':' && line_ > 0) return state_ = State::value, true;
      return is_name(c) && ++line_ <= kLargestLine && ++trailers_ <= kLargestTrailers;
    case State::value:
      if (c == '\r') return state_ = State::value_lf, true;
      return !is_control(c) && ++trailers_ <= kLargestTrailers;
    case State::value_lf:
      line_ = 0;
      state_ = State::name;
      return c == '\n';
    case State::end_lf:
      if (c == '\n') state_ = State::done;
      return c == '\n';
    case State::data:
    case State::done: break;
  }
  return false;
}

ChunkedReader::Step ChunkedReader::next(std::string_view bytes) {
  Step step;
  while (step.consumed < bytes.size() && state_ != State::done) {
    if (state_ == State::data) {
      auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - step.consumed));
      step.data = bytes.substr(step.consumed, size);
      step.consumed += size;
      left_ -= size;
      if (left_ == 0) state_ = State::data_cr;
      return step;
    }
    if (!framing(static_cast<unsigned char>(bytes[step.consumed]))) {
      step.bad = true;
      return step;
    }
    ++step.consumed;
  }
  return step;
}

}  // namespace holdall::net::http
