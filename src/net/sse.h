#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace holdall::net {

/// One server-sent event (WHATWG HTML, 9.2): `event: NAME\nid: ID\ndata: JSON\n\n`.
std::string sse_event(std::string_view name, const Json& data, std::string_view id = "");

/// Cuts a stream of bytes into events, whatever pieces it comes in.
class SseParser {
 public:
  struct Event {
    std::string name, data;
    std::string id;  ///< the last one sent: where to go on from
  };
  std::vector<Event> feed(std::string_view bytes);

 private:
  void take_line(std::string_view line, std::vector<Event>& out);

  std::string rest_;  ///< the line that has begun
  Event next_;
  bool has_data_ = false;
};

}  // namespace holdall::net
