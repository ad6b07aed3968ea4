#include "net/http.h"

#include <algorithm>
#include <cstring>

namespace holdall::net::http {
namespace {

// RFC 9110 5.6.2: the characters of a token, which methods and header names are made of.
constexpr std::array<bool, 256> token_characters() {
  std::array<bool, 256> is{};
  for (int c = 'a'; c <= 'z'; ++c) is[c] = is[c - 'a' + 'A'] = true;
  for (int c = '0'; c <= '9'; ++c) is[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) is[static_cast<unsigned char>(c)] = true;
  return is;
}
constexpr auto kToken = token_characters();

bool is_token(char c) { return kToken[static_cast<unsigned char>(c)]; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_token(c); });
}

// No early exit, so that the compiler may take many bytes at a time.
bool has_control(std::string_view text) {
  unsigned found = 0;
  for (char c : text) {
    auto u = static_cast<unsigned char>(c);
    found |= static_cast<unsigned>(u < 0x20) & static_cast<unsigned>(u != '\t');
    found |= static_cast<unsigned>(u == 0x7f);
  }
  return found != 0;
}

bool is_target(std::string_view text) {
  unsigned wrong = 0;
  for (char c : text) {
    auto u = static_cast<unsigned char>(c);
    wrong |=
        static_cast<unsigned>(u < 0x21) | static_cast<unsigned>(u > 0x7e) | static_cast<unsigned>(u == '#');
  }
  return wrong == 0 && !text.empty();
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// `known` is in lower case; an underscore of `name` stands for a dash where the header begins with x-.
bool is_x_header(std::string_view name, std::string_view known) {
  return std::equal(name.begin(), name.end(), known.begin(), known.end(),
                    [](char a, char b) { return lower(a) == b || (a == '_' && b == '-'); });
}

Known known_header(std::string_view name) {
  auto is = [&](std::string_view known) { return equals_ignoring_case(name, known); };
  switch (name.size()) {
    case 2: return is("te") ? Known::te : Known::other;
    case 4: return is("host") ? Known::host : Known::other;
    case 6: return is("expect") ? Known::expect : Known::other;
    case 7: return is("upgrade") ? Known::upgrade : is("trailer") ? Known::trailer : Known::other;
    case 9:
      return is("forwarded")                  ? Known::forwarded
             : is_x_header(name, "x-real-ip") ? Known::x_real_ip
                                              : Known::other;
    case 10:
      return is("connection")   ? Known::connection
             : is("user-agent") ? Known::user_agent
             : is("keep-alive") ? Known::keep_alive
                                : Known::other;
    case 12: return is_x_header(name, "x-request-id") ? Known::x_request_id : Known::other;
    case 14: return is("content-length") ? Known::content_length : Known::other;
    case 15:
      return is("accept-language")                  ? Known::accept_language
             : is_x_header(name, "x-forwarded-for") ? Known::x_forwarded_for
                                                    : Known::other;
    case 16:
      return is("proxy-connection")                  ? Known::proxy_connection
             : is_x_header(name, "x-forwarded-host") ? Known::x_forwarded_host
             : is_x_header(name, "x-forwarded-port") ? Known::x_forwarded_port
                                                     : Known::other;
    case 17:
      return is("transfer-encoding")                  ? Known::transfer_encoding
             : is_x_header(name, "x-forwarded-proto") ? Known::x_forwarded_proto
                                                      : Known::other;
    default: return Known::other;
  }
}

// Fills `length`; false if it is not digits only, or more than 18 of them (which could overflow).
bool parse_length(std::string_view text, std::uint64_t& length) {
  if (text.empty() || text.size() > 18) return false;
  length = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return true;
}

// What Connection, Content-Length and the like say, gathered from the headers of one head.
struct Framing {
  int hosts = 0;
  std::string_view host;
  bool has_length = false, chunked = false;
  bool close = false, keep_alive = false, upgrade = false, has_upgrade = false;

  const char* note(Known known, std::string_view value, Head& head) {
    switch (known) {
      case Known::host:
        if (++hosts > 1) return "more than one Host";
        host = value;
        break;
      case Known::content_length:
        if (has_length) return "more than one Content-Length";
        if (!parse_length(value, head.length)) return "Content-Length is not a number";
        has_length = true;
        break;
      case Known::transfer_encoding:
        if (chunked) return "more than one Transfer-Encoding";
        if (!equals_ignoring_case(value, "chunked")) return "a transfer coding other than chunked";
        chunked = true;
        break;
      case Known::connection: note_connection(value); break;
      case Known::upgrade: has_upgrade = true; break;
      case Known::expect: head.expect_continue = equals_ignoring_case(value, "100-continue"); break;
      default: break;
    }
    return nullptr;
  }

  void note_connection(std::string_view value) {
    while (!value.empty()) {
      std::size_t comma = std::min(value.find(','), value.size());
      std::string_view token = without_blanks(value.substr(0, comma));
      if (equals_ignoring_case(token, "close")) close = true;
      if (equals_ignoring_case(token, "keep-alive")) keep_alive = true;
      if (equals_ignoring_case(token, "upgrade")) upgrade = true;
      value.remove_prefix(std::min(comma + 1, value.size()));
    }
  }

  const char* settle(Head& head) const {
    if (has_length && chunked) return "Content-Length beside Transfer-Encoding";
    if (chunked && head.minor == 0) return "Transfer-Encoding in HTTP/1.0";
    head.keep_alive = head.minor == 1 ? !close : keep_alive && !close;
    head.upgrade = head.minor == 1 && upgrade && has_upgrade;
    if (head.minor == 0) head.expect_continue = false;
    head.body = chunked ? Body::chunked : has_length && head.length > 0 ? Body::length : Body::none;
    return nullptr;
  }
};

constexpr Parsed kComplete{Result::complete};
constexpr Parsed kIncomplete{Result::incomplete};
Parsed bad(const char* reason) { return {Result::bad, reason}; }

// One line at `at`, without its CRLF; `at` then stands behind it.
Parsed take_line(std::string_view bytes, std::size_t& at, std::string_view& line) {
  const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
  if (!found) return kIncomplete;
  auto lf = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
  if (lf == at || bytes[lf - 1] != '\r') return bad("a line that does not end with CR LF");
  line = bytes.substr(at, lf - 1 - at);
  at = lf + 1;
  return kComplete;
}

Parsed parse_header(std::string_view line, Header& header) {
  if (line.front() == ' ' || line.front() == '\t') return bad("a header folded over two lines");
  std::size_t colon = 0;
  while (colon < line.size() && is_token(line[colon])) ++colon;
  if (colon == line.size()) return bad("a header without a colon");
  if (line[colon] != ':') {
    return bad(line[colon] == ' ' || line[colon] == '\t' ? "space before a colon"
                                                         : "a character that no header name has");
  }
  if (colon == 0) return bad("a header without a name");
  header.name = line.substr(0, colon);
  header.value = without_blanks(line.substr(colon + 1));
  return has_control(header.value) ? bad("a control character in a header") : kComplete;
}

Parsed parse_headers(std::string_view bytes, std::size_t& at, Head& head, Framing& framing) {
  for (;;) {
    std::string_view line;
    if (Parsed got = take_line(bytes, at, line); got.result != Result::complete) return got;
    if (line.empty()) break;
    if (head.header_count == kMaxHeaders) return {Result::too_large, "too many headers"};
    Header& header = head.headers[head.header_count];
    if (Parsed got = parse_header(line, header); got.result != Result::complete) return got;
    Known known = head.known[head.header_count++] = known_header(header.name);
    if (known == Known::other) continue;
    if (const char* wrong = framing.note(known, header.value, head)) return bad(wrong);
  }
  head.size = at;
  return kComplete;
}

bool is_host_character(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
         std::string_view("-._~%!$&'()*+,;=").find(c) != std::string_view::npos;
}

// uri-host [":" port] of RFC 3986; an IPv6 address keeps its brackets.
bool parse_authority(std::string_view authority, std::string_view& host) {
  std::size_t end = 0;
  if (!authority.empty() && authority.front() == '[') {
    end = authority.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (char c : authority.substr(1, end - 1)) {
      if (!is_digit(c) && !(lower(c) >= 'a' && lower(c) <= 'f') && c != ':' && c != '.') return false;
    }
    ++end;
  } else {
    while (end < authority.size() && is_host_character(authority[end])) ++end;
  }
  host = authority.substr(0, end);
  if (end == authority.size()) return true;
  std::string_view port = authority.substr(end + 1);
  return authority[end] == ':' && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
}

void split_path(std::string_view target, Head& head) {
  std::size_t mark = target.find('?');
  head.path = target.substr(0, mark);
  head.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

// The four forms of RFC 9112 3.2. `authority` is that of an absolute target.
const char* parse_target(Head& head, std::string_view& authority) {
  std::string_view target = head.target;
  if (!is_target(target)) return "a character that no target has; percent-encode it";
  if (head.method == "CONNECT")
    return parse_authority(target, head.host) ? nullptr : "CONNECT without host:port";
  if (target.front() == '/') return split_path(target, head), nullptr;
  if (target == "*")
    return head.path = target, head.method == "OPTIONS" ? nullptr : "target * without OPTIONS";
  std::size_t slashes = target.find("://");
  std::string_view scheme = target.substr(0, std::min(slashes, target.size()));
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) {
    return "a target that is neither a path nor an http URL";
  }
  target.remove_prefix(slashes + 3);
  authority = target.substr(0, target.find_first_of("/?"));
  if (authority.empty()) return "a target without a host";
  target.remove_prefix(authority.size());
  split_path(target, head);
  if (head.path.empty()) head.path = "/";
  return nullptr;
}

const char* settle_host(const Framing& framing, std::string_view authority, Head& head) {
  if (framing.hosts == 0 && head.minor == 1) return "no Host";
  if (!authority.empty() && framing.hosts > 0 && !equals_ignoring_case(authority, framing.host)) {
    return "Host differs from the target's";
  }
  if (head.method == "CONNECT") return nullptr;
  return parse_authority(authority.empty() ? framing.host : authority, head.host) ? nullptr
                                                                                  : "Host is no host name";
}

// "HTTP/1.0" or "HTTP/1.1".
bool parse_version(std::string_view text, int& minor) {
  if (text.size() != 8 || !text.starts_with("HTTP/1.") || (text[7] != '0' && text[7] != '1')) return false;
  minor = text[7] - '0';
  return true;
}

const char* parse_request_line(std::string_view line, Head& head) {
  std::size_t first = line.find(' ');
  head.method = line.substr(0, first);
  if (!is_token(head.method)) return "no method";
  std::size_t last = line.rfind(' ');
  if (last == std::string_view::npos || last == first) return "a request line without its three parts";
  if (!parse_version(line.substr(last + 1), head.minor)) return "a version other than HTTP/1.1 and HTTP/1.0";
  head.target = line.substr(first + 1, last - first - 1);
  return nullptr;
}

const char* parse_status_line(std::string_view line, Head& head) {
  if (!parse_version(line.substr(0, 8), head.minor)) return "a version other than HTTP/1.1 and HTTP/1.0";
  if (line.size() < 12 || line[8] != ' ') return "a status line without its parts";
  if (line[9] < '1' || line[9] > '9' || !is_digit(line[10]) || !is_digit(line[11]))
    return "a status that is no number";
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (line.size() == 12) return nullptr;  // some servers leave the blank out with the reason
  head.reason = line.substr(13);
  return line[12] != ' ' || has_control(head.reason) ? "a status line without its parts" : nullptr;
}

void reset(Head& head) {
  head.method = head.target = head.host = head.path = head.query = head.reason = {};
  head.status = 0;
  head.minor = 1;
  head.header_count = head.size = 0;
  head.body = Body::none;
  head.length = 0;
  head.keep_alive = true;
  head.upgrade = head.expect_continue = false;
}

// Whether bytes that came after the first `scanned` can have ended the head.
bool may_be_whole(std::string_view bytes, std::size_t scanned) {
  if (scanned == 0) return true;
  return bytes.find("\r\n\r\n", scanned < 3 ? 0 : scanned - 3) != std::string_view::npos;
}

Parsed incomplete(std::string_view bytes, std::size_t limit) {
  return bytes.size() >= limit ? Parsed{Result::too_large, "the head is too large"} : kIncomplete;
}

}  // namespace

Parsed parse_request(std::string_view bytes, Head& head, std::size_t limit, std::size_t scanned) {
  bytes = bytes.substr(0, limit);
  if (!may_be_whole(bytes, scanned)) return incomplete(bytes, limit);
  reset(head);
  std::size_t at = bytes.starts_with("\r\n") ? 2 : 0;
  if (at < bytes.size() && bytes[at] != '\r' && !is_token(bytes[at])) return bad("no HTTP request");
  std::string_view line;
  Parsed got = take_line(bytes, at, line);
  if (got.result == Result::incomplete) return incomplete(bytes, limit);
  if (got.result != Result::complete) return got;
  if (const char* wrong = parse_request_line(line, head)) return bad(wrong);
  std::string_view authority;
  if (const char* wrong = parse_target(head, authority)) return bad(wrong);
  Framing framing;
  got = parse_headers(bytes, at, head, framing);
  if (got.result == Result::incomplete) return incomplete(bytes, limit);
  if (got.result != Result::complete) return got;
  if (const char* wrong = framing.settle(head)) return bad(wrong);
  if (const char* wrong = settle_host(framing, authority, head)) return bad(wrong);
  return kComplete;
}

Parsed parse_response(std::string_view bytes, std::string_view request_method, Head& head, std::size_t limit,
                      std::size_t scanned) {
  bytes = bytes.substr(0, limit);
  if (!may_be_whole(bytes, scanned)) return incomplete(bytes, limit);
  reset(head);
  std::size_t at = 0;
  std::string_view line;
  Parsed got = take_line(bytes, at, line);
  if (got.result == Result::incomplete) return incomplete(bytes, limit);
  if (got.result != Result::complete) return got;
  if (const char* wrong = parse_status_line(line, head)) return bad(wrong);
  Framing framing;
  got = parse_headers(bytes, at, head, framing);
  if (got.result == Result::incomplete) return incomplete(bytes, limit);
  if (got.result != Result::complete) return got;
  if (const char* wrong = framing.settle(head)) return bad(wrong);
  bool without_body = request_method == "HEAD" || head.status < 200 || head.status == 204 ||
                      head.status == 304 || (request_method == "CONNECT" && head.status < 300);
  if (without_body) {
    head.body = Body::none;
  } else if (!framing.chunked && !framing.has_length) {
    head.body = Body::until_close;
    head.keep_alive = false;
  }
  return kComplete;
}

std::string_view Head::find(std::string_view name) const {
  for (std::size_t i = 0; i < header_count; ++i) {
    if (equals_ignoring_case(headers[i].name, name)) return headers[i].value;
  }
  return {};
}

}  // namespace holdall::net::http
