#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdall::app {

/// One published port in its long form; `published` is a number, a range, or empty.
struct PortSpec {
  std::string host_ip;
  std::string published;
  std::uint16_t target = 0;
  std::string protocol = "tcp";
};

struct PortRange {
  std::uint16_t first = 0, last = 0;
};

/// "80" or "80-85", up to 65535.
std::optional<PortRange> parse_port_range(std::string_view text);

/// Whether it is an IPv4 or IPv6 address.
bool is_ip_address(const std::string& text);

/// The short form [[IP:][HOST]:]CONTAINER[/PROTOCOL], a range giving one port each. When it is none of that,
/// `error` says why and the list is empty.
std::vector<PortSpec> parse_short_port(std::string_view text, std::string& error);

}  // namespace holdall::app
