#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdall::net {

/// An http or https URL, taken apart (RFC 3986). A value.
struct Url {
  bool tls = false;        ///< https
  std::string host;        ///< in lower case: a name, "127.0.0.1", or "::1" without brackets
  std::uint16_t port = 0;  ///< as written, else 80 or 443
  std::string target;      ///< path and query, as sent: at least "/"

  bool is_literal() const;  ///< the host is an IP address
  auto operator<=>(const Url&) const = default;
};

/// Throws `invalid`. A fragment is cut off; user and password are refused, as they would end up in logs. The
/// host of a name is ASCII: an international one is written as xn--....
Url parse_url(std::string_view text);
std::string text(const Url& url);

/// The Host header: the port only where it is not the scheme's own.
std::string host_header(const Url& url);

/// `url` with `reference`, an absolute path with an optional query, in place of its own.
Url at(Url url, std::string_view path);

/// Everything but letters, digits and -._~ as %41: for one segment of a path or one value of a query.
std::string percent_encode(std::string_view text);

}  // namespace holdall::net
