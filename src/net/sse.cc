#include "net/sse.h"

namespace holdall::net {

std::string sse_event(std::string_view name, const Json& data, std::string_view id) {
  std::string out;
  auto line = [&](std::string_view field, std::string_view value) {
    if (!value.empty()) out.append(field).append(": ").append(value).append("\n");
  };
  line("event", name);
  line("id", id);
  line("data", data.print());
  out += '\n';
  return out;
}

std::vector<SseParser::Event> SseParser::feed(std::string_view bytes) {
  std::vector<Event> out;
  rest_.append(bytes);
  std::size_t begin = 0;
  for (;;) {
    std::size_t end = rest_.find_first_of("\r\n", begin);
    // A CR at the very end may be half of a CR LF.
    if (end == std::string::npos || (rest_[end] == '\r' && end + 1 == rest_.size())) break;
    take_line(std::string_view(rest_).substr(begin, end - begin), out);
    bool both = rest_[end] == '\r' && rest_[end + 1] == '\n';
    begin = end + (both ? 2 : 1);
  }
  rest_.erase(0, begin);
  return out;
}

void SseParser::take_line(std::string_view line, std::vector<Event>& out) {
  if (line.empty()) {
    // An event without data is not dispatched; its id still counts as the last one.
    if (has_data_) out.push_back(next_);
    next_.name.clear();
    next_.data.clear();
    has_data_ = false;
    return;
  }
  std::size_t colon = line.find(':');
  std::string_view field = line.substr(0, colon), value;
  if (colon != std::string_view::npos) value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") next_.name = value;
  if (field == "id") next_.id = value;
  if (field == "data") {
    if (has_data_) next_.data += '\n';
    next_.data += value;
    has_data_ = true;
  }
}

}  // namespace holdall::net
