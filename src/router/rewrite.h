#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http.h"

namespace holdall::router {

/// A piece of a text that may move as a whole.
struct Place {
  std::uint32_t at = 0, size = 0;
  std::string_view in(std::string_view text) const { return text.substr(at, size); }
};

/// Where in a written request head the parts stand that the log wants.
struct RequestPlaces {
  Place method, path, host, agent, language, id;
};

/// What the instance is told about where a request came from, in place of what a stranger said.
struct Origin {
  std::string_view client;  ///< its address
  std::string_view scheme = "http";
  std::uint16_t port = 0;  ///< the public one
  std::string_view id;     ///< the request's
  std::string_view strip;  ///< this prefix of the path is left out
};

/// Whether the connection is to change its protocol. HTTP/2 in clear is not passed on: behind an upgrade to
/// it the router could no longer see where a request goes.
bool wants_upgrade(const net::http::Head& head);

/// Appends the head that the instance gets: `bytes` (of which `head` was parsed) in origin form, without the
/// headers that are for one hop, with the origin's. Framing and Host stay, whatever Connection names.
RequestPlaces write_request(std::string_view bytes, const net::http::Head& head, const Origin& origin,
                            std::string& out);

struct AnswerShape {
  std::string_view id;          ///< as X-Request-ID; empty: none
  bool close = false;           ///< says that the connection ends with this answer
  bool say_keep_alive = false;  ///< to a client of HTTP/1.0
  bool unchunk = false;         ///< the body goes on without its framing
};

/// Appends the head that the client gets.
void write_answer(std::string_view bytes, const net::http::Head& head, const AnswerShape& shape,
                  std::string& out);

}  // namespace holdall::router
