#include "router/rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

namespace holdall::router {
namespace {

using net::http::Head;
using net::http::Known;

template <typename F>
void each_token(std::string_view list, F&& f) {
  while (!list.empty()) {
    std::size_t comma = std::min(list.find(','), list.size());
    std::string_view token = list.substr(0, comma);
    while (!token.empty() && (token.front() == ' ' || token.front() == '\t')) token.remove_prefix(1);
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
    if (!token.empty()) f(token);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

// The headers that Connection names are for one hop. Few messages name any but the well-known ones.
class NamedByConnection {
 public:
  explicit NamedByConnection(const Head& head) {
    for (std::size_t i = 0; i < head.header_count; ++i) {
      if (head.known[i] != Known::connection) continue;
      each_token(head.headers[i].value, [&](std::string_view token) {
        using net::http::equals_ignoring_case;
        if (equals_ignoring_case(token, "close") || equals_ignoring_case(token, "keep-alive")) return;
        if (equals_ignoring_case(token, "upgrade") || equals_ignoring_case(token, "te")) return;
        if (count_ < tokens_.size()) tokens_[count_++] = token;
      });
    }
  }
  bool has(std::string_view name) const {
    return std::any_of(tokens_.begin(), tokens_.begin() + count_,
                       [&](std::string_view token) { return net::http::equals_ignoring_case(token, name); });
  }
  bool none() const { return count_ == 0; }

 private:
  std::array<std::string_view, 16> tokens_;
  std::size_t count_ = 0;
};

bool never_cut(Known known) {
  return known == Known::host || known == Known::content_length || known == Known::transfer_encoding;
}

bool accepts_trailers(const Head& head) {
  for (std::size_t i = 0; i < head.header_count; ++i) {
    if (head.known[i] != Known::te) continue;
    bool found = false;
    each_token(head.headers[i].value,
               [&](std::string_view token) { found |= net::http::equals_ignoring_case(token, "trailers"); });
    if (found) return true;
  }
  return false;
}

bool is_cut_from_request(Known known, bool upgrade) {
  switch (known) {
    case Known::connection:
    case Known::keep_alive:
    case Known::proxy_connection:
    case Known::te:
    case Known::x_request_id:
    case Known::x_forwarded_for:
    case Known::x_forwarded_proto:
    case Known::x_forwarded_host:
    case Known::x_forwarded_port:
    case Known::forwarded:
    case Known::x_real_ip: return true;
    case Known::upgrade: return !upgrade;
    default: return false;
  }
}

bool is_cut_from_answer(Known known, const Head& head, const AnswerShape& shape) {
  switch (known) {
    case Known::connection:
    case Known::keep_alive:
    case Known::proxy_connection: return true;
    case Known::x_request_id: return !shape.id.empty();
    case Known::upgrade: return head.status != 101;
    case Known::transfer_encoding: return shape.unchunk || head.status < 200 || head.status == 204;
    case Known::content_length: return head.status < 200 || head.status == 204;
    default: return false;
  }
}

// Copies the header lines that `is_cut` lets pass, neighbours at once. `seen(i, place)` hears where a value
// now stands.
template <typename Cut, typename Seen>
void copy_headers(std::string_view bytes, const Head& head, Cut&& is_cut, std::string& out, Seen&& seen) {
  const char* end = bytes.data() + head.size - 2;
  auto line = [&](std::size_t i) { return i < head.header_count ? head.headers[i].name.data() : end; };
  const char* run = line(0);
  for (std::size_t i = 0; i < head.header_count; ++i) {
    if (is_cut(i)) {
      out.append(run, line(i));
      run = line(i + 1);
    } else {
      seen(i, Place{static_cast<std::uint32_t>(out.size() +
                                               static_cast<std::size_t>(head.headers[i].value.data() - run)),
                    static_cast<std::uint32_t>(head.headers[i].value.size())});
    }
  }
  out.append(run, end);
}

Place append(std::string& out, std::string_view text) {
  Place place{static_cast<std::uint32_t>(out.size()), static_cast<std::uint32_t>(text.size())};
  out += text;
  return place;
}

void append_target(const Head& head, std::string_view strip, std::string& out, RequestPlaces& places) {
  std::string_view path = head.path;
  if (strip.size() > 1 && path.starts_with(strip)) {
    path.remove_prefix(strip.ends_with('/') ? strip.size() - 1 : strip.size());
    if (path.empty()) path = "/";
  }
  places.path = append(out, path);
  if (head.query.data()) {
    out += '?';
    out += head.query;
  }
}

}  // namespace

bool wants_upgrade(const Head& head) {
  if (!head.upgrade) return false;
  bool h2c = false;
  for (std::size_t i = 0; i < head.header_count; ++i) {
    if (head.known[i] != Known::upgrade) continue;
    each_token(head.headers[i].value,
               [&](std::string_view token) { h2c |= net::http::equals_ignoring_case(token, "h2c"); });
  }
  return !h2c;
}

RequestPlaces write_request(std::string_view bytes, const Head& head, const Origin& origin,
                            std::string& out) {
  RequestPlaces places;
  bool upgrade = wants_upgrade(head);
  places.method = append(out, head.method);
  out += ' ';
  append_target(head, origin.strip, out, places);
  out += " HTTP/1.1\r\n";
  NamedByConnection named(head);
  auto is_cut = [&](std::size_t i) {
    if (is_cut_from_request(head.known[i], upgrade)) return true;
    return !named.none() && !never_cut(head.known[i]) && named.has(head.headers[i].name);
  };
  std::string_view host;
  copy_headers(bytes, head, is_cut, out, [&](std::size_t i, Place place) {
    if (head.known[i] == Known::host) {
      places.host = place;
      host = head.headers[i].value;
    }
    if (head.known[i] == Known::user_agent) places.agent = place;
    if (head.known[i] == Known::accept_language) places.language = place;
  });
  // An HTTP/1.0 client may leave Host out, an HTTP/1.1 server must be given one.
  if (!host.data()) out += "Host: localhost\r\n";
  if (upgrade) {
    out += "Connection: upgrade\r\n";
  } else if (accepts_trailers(head)) {
    out += "Connection: TE\r\nTE: trailers\r\n";
  }
  out += "X-Request-ID: ";
  places.id = append(out, origin.id);
  fmt::format_to(std::back_inserter(out), "\r\nX-Forwarded-For: {}\r\nX-Forwarded-Proto: {}\r\n",
                 origin.client, origin.scheme);
  if (!host.empty()) fmt::format_to(std::back_inserter(out), "X-Forwarded-Host: {}\r\n", host);
  fmt::format_to(std::back_inserter(out), "X-Forwarded-Port: {}\r\n\r\n", origin.port);
  return places;
}

void write_answer(std::string_view bytes, const Head& head, const AnswerShape& shape, std::string& out) {
  // The reason goes on as it came; so does a status line without one.
  const char* status = bytes.data() + 8;
  const char* end = static_cast<const char*>(std::find(status, bytes.data() + head.size, '\n'));
  out += "HTTP/1.1";
  out.append(status, end + 1);
  NamedByConnection named(head);
  auto is_cut = [&](std::size_t i) {
    if (is_cut_from_answer(head.known[i], head, shape)) return true;
    return !named.none() && !never_cut(head.known[i]) && named.has(head.headers[i].name);
  };
  copy_headers(bytes, head, is_cut, out, [](std::size_t, Place) {});
  if (head.status == 101) out += "Connection: upgrade\r\n";
  if (shape.close) out += "Connection: close\r\n";
  if (shape.say_keep_alive) out += "Connection: keep-alive\r\n";
  if (!shape.id.empty()) {
    out += "X-Request-ID: ";
    out += shape.id;
    out += "\r\n";
  }
  out += "\r\n";
}

}  // namespace holdall::router
