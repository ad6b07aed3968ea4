#include "net/url.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "net/http.h"

namespace holdall::net {
namespace {

constexpr std::uint16_t kHttp = 80, kHttps = 443;

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(Error::invalid, fmt::format("url '{}' {}", text, why));
}

bool is_v6(const std::string& host) {
  in6_addr binary;
  return inet_pton(AF_INET6, host.c_str(), &binary) == 1;
}

bool is_v4(const std::string& host) {
  in_addr binary;
  return inet_pton(AF_INET, host.c_str(), &binary) == 1;
}

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_name(std::string_view host) {
  constexpr std::size_t kLongest = 253;
  return !host.empty() && host.size() <= kLongest && is_alnum(host.front()) &&
         std::ranges::all_of(host, [](char c) { return is_alnum(c) || c == '-' || c == '.' || c == '_'; });
}

/// The scheme, which is cut off with its "://".
bool take_scheme(std::string_view& rest, std::string_view whole) {
  std::size_t end = rest.find("://");
  std::string_view scheme = rest.substr(0, std::min(end, rest.size()));
  bool tls = http::equals_ignoring_case(scheme, "https");
  bool known = end != std::string_view::npos && (tls || http::equals_ignoring_case(scheme, "http"));
  if (!known) refuse(whole, "begins with neither http:// nor https://");
  rest.remove_prefix(end + 3);
  return tls;
}

std::uint16_t parse_port(std::string_view digits, std::string_view whole) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0) {
    refuse(whole, "has no port from 1 to 65535 after its host");
  }
  return port;
}

void parse_authority(std::string_view authority, std::string_view whole, Url& out) {
  std::string_view host = authority, port;
  std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  out.host = brackets ? host.substr(1, host.size() - 2) : host;
  std::ranges::transform(out.host, out.host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (brackets ? !is_v6(out.host) : !is_name(out.host)) {
    refuse(whole, "has no host: a name, an IPv4 address or an IPv6 address in brackets");
  }
  out.port = out.tls ? kHttps : kHttp;
  if (!port.empty()) out.port = parse_port(port, whole);
}

void check_target(std::string_view target, std::string_view whole) {
  bool plain = std::ranges::all_of(target, [](char c) { return c > ' ' && c < 0x7f; });
  if (!plain) refuse(whole, "has a blank or a byte beyond ASCII: percent-encode it");
}

std::string bracketed(const Url& url) {
  return url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
}

}  // namespace

bool Url::is_literal() const { return is_v4(host) || is_v6(host); }

Url parse_url(std::string_view text) {
  if (text.find('@') < text.find_first_of("/?#", text.find("://") + 3)) {
    throw Error(Error::invalid, "a url may not have a user or a password: send them in a header");
  }
  Url out;
  std::string_view rest = text;
  out.tls = take_scheme(rest, text);
  rest = rest.substr(0, rest.find('#'));
  std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  parse_authority(rest.substr(0, end), text, out);
  out.target = rest.substr(end);
  if (!out.target.starts_with('/')) out.target.insert(0, "/");
  check_target(out.target, text);
  return out;
}

std::string text(const Url& url) {
  return fmt::format("{}://{}{}", url.tls ? "https" : "http", host_header(url), url.target);
}

std::string host_header(const Url& url) {
  bool own = url.port == (url.tls ? kHttps : kHttp);
  return own ? bracketed(url) : fmt::format("{}:{}", bracketed(url), url.port);
}

Url at(Url url, std::string_view path) {
  if (!path.starts_with('/')) refuse(path, "is no path: it begins with no '/'");
  check_target(path, path);
  url.target = path;
  return url;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace holdall::net
