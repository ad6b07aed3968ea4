#pragma once

#include <sys/socket.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdall::net {

/// Where to listen or connect: an IP address with a port, or a unix socket's path. A value.
struct Address {
  std::string host;  ///< "127.0.0.1", "::1", "" for all addresses (dual-stack); empty for unix
  std::uint16_t port = 0;
  std::string path;  ///< unix socket; empty for IP

  bool is_unix() const { return !path.empty(); }
  auto operator<=>(const Address&) const = default;
};

/// "127.0.0.1:8080", "[::1]:8080", ":80", "unix:///run/holdall/api.sock"; `text` and `parse_address` are
/// inverse. Throws `invalid`: a host must be a literal, nothing is looked up.
Address parse_address(std::string_view text);
std::string text(const Address& address);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
/// "" becomes [::] (dual-stack). Throws `invalid` if a unix path is over 100 bytes.
SocketAddress socket_address(const Address& address);
Address address_of(const sockaddr_storage& storage);  ///< an IPv4-mapped IPv6 address comes out as IPv4

}  // namespace holdall::net
