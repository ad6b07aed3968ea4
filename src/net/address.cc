#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>

#include "base/error.h"

namespace holdall::net {
namespace {

constexpr std::string_view kUnix = "unix://";

// sun_path holds 108 bytes; the difference is left for the names that are put beside a socket.
constexpr std::size_t kLongestPath = 100;

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(Error::invalid, fmt::format("address '{}' {}", text, why));
}

std::uint16_t parse_port(std::string_view digits, std::string_view text) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    refuse(text, "has no port from 0 to 65535 at its end: write HOST:PORT");
  }
  return port;
}

/// The one spelling of an IP literal, so that equal addresses compare equal; nothing if it is none.
template <typename Binary>
std::optional<std::string> canonical(int family, const std::string& host) {
  Binary binary;
  if (inet_pton(family, host.c_str(), &binary) != 1) return std::nullopt;
  char out[INET6_ADDRSTRLEN];
  inet_ntop(family, &binary, out, sizeof out);
  return out;
}

SocketAddress unix_address(const std::string& path) {
  if (path.size() > kLongestPath) {
    throw Error(Error::invalid, fmt::format("socket path '{}' has {} bytes, over the {} that fit: choose a "
                                            "shorter directory",
                                            path, path.size(), kLongestPath));
  }
  SocketAddress out;
  auto* address = reinterpret_cast<sockaddr_un*>(&out.storage);
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, path.c_str(), path.size() + 1);
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}

}  // namespace

Address parse_address(std::string_view text) {
  if (text.starts_with(kUnix)) {
    Address out{.host = "", .port = 0, .path = std::string(text.substr(kUnix.size()))};
    if (!out.path.starts_with('/')) refuse(text, "has no absolute path: write unix:///PATH");
    if (out.path.find('\0') != std::string::npos) refuse(text, "has a NUL in its path");
    return out;
  }
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos) refuse(text, "has no port: write HOST:PORT or unix:///PATH");
  std::string host(text.substr(0, colon));
  Address out{.host = "", .port = parse_port(text.substr(colon + 1), text), .path = ""};
  if (host.empty()) return out;
  std::optional<std::string> literal;
  if (host.starts_with('[') && host.ends_with(']')) {
    literal = canonical<in6_addr>(AF_INET6, host.substr(1, host.size() - 2));
  } else {
    literal = canonical<in_addr>(AF_INET, host);
  }
  if (!literal) refuse(text, "is not a literal IP address: write 127.0.0.1:80, [::1]:80 or :80");
  out.host = *literal;
  return out;
}

std::string text(const Address& address) {
  if (address.is_unix()) return fmt::format("{}{}", kUnix, address.path);
  bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.host, address.port)
            : fmt::format("{}:{}", address.host, address.port);
}

SocketAddress socket_address(const Address& address) {
  if (address.is_unix()) return unix_address(address.path);
  SocketAddress out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    out.size = sizeof *v4;
    return out;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  const char* host = address.host.empty() ? "::" : address.host.c_str();
  if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1) refuse(text(address), "is not a literal IP address");
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(address.port);
  out.size = sizeof *v6;
  return out;
}

Address address_of(const sockaddr_storage& storage) {
  Address out;
  char host[INET6_ADDRSTRLEN];
  if (storage.ss_family == AF_UNIX) {
    out.path = reinterpret_cast<const sockaddr_un&>(storage).sun_path;
  } else if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    out.host = inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    out.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    constexpr std::size_t kMappedPrefix = 12;
    out.host = mapped ? inet_ntop(AF_INET, v6.sin6_addr.s6_addr + kMappedPrefix, host, sizeof host)
                      : inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    out.port = ntohs(v6.sin6_port);
  }
  return out;
}

}  // namespace holdall::net
