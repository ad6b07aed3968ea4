#include "app/ports.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace holdall::app {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

/// Of the host's range the port that belongs to the container's; the whole range where there is one of these.
std::string published_at(const PortRange& host, int count, int i) {
  const bool range = count == 0 && host.first != host.last;
  return range ? fmt::format("{}-{}", host.first, host.last) : std::to_string(host.first + i);
}

}  // namespace

bool is_ip_address(const std::string& text) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 || inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

std::optional<PortRange> parse_port_range(std::string_view text) {
  std::size_t dash = text.find('-');
  auto first = parse_port(text.substr(0, dash));
  auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

std::vector<PortSpec> parse_short_port(std::string_view text, std::string& error) {
  std::string protocol = "tcp";
  std::string_view rest = text;
  if (std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    protocol = lower(rest.substr(slash + 1));
    rest = rest.substr(0, slash);
  }
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    error = fmt::format("'{}' is no protocol: tcp, udp or sctp", protocol);
    return {};
  }

  std::size_t colon = rest.rfind(':');
  std::string_view container = colon == std::string_view::npos ? rest : rest.substr(colon + 1);
  std::string_view host;
  std::string address;
  if (colon != std::string_view::npos) {
    rest = rest.substr(0, colon);
    colon = rest.rfind(':');
    host = colon == std::string_view::npos ? rest : rest.substr(colon + 1);
    if (colon != std::string_view::npos) address = rest.substr(0, colon);
  }
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  } else if (address.find(':') != std::string::npos) {
    error = fmt::format("'{}' is no IPv4 address; write an IPv6 address in brackets: [::1]:80:80", address);
    return {};
  }
  if (!address.empty() && !is_ip_address(address)) {
    error = fmt::format("'{}' is no IP address", address);
    return {};
  }

  auto targets = parse_port_range(container);
  auto published = parse_port_range(host);
  if (!targets || targets->first == 0) {
    error = container.empty()
                ? "no port of the container is written"
                : fmt::format("'{}' is no port of a container: 1 to 65535, or a range", container);
    return {};
  }
  if (!host.empty() && !published) {
    error = fmt::format("'{}' is no port of a host: 0 to 65535, or a range", host);
    return {};
  }
  int count = targets->last - targets->first;
  if (published && published->last - published->first != count && count != 0) {
    error = fmt::format("ranges {} and {} have different lengths", host, container);
    return {};
  }
  std::vector<PortSpec> ports;
  for (int i = 0; i <= count; ++i) {
    PortSpec port{address, "", static_cast<std::uint16_t>(targets->first + i), protocol};
    if (published) port.published = published_at(*published, count, i);
    ports.push_back(std::move(port));
  }
  // Compose has them by the text of the port, so that 10 stands before 9.
  std::ranges::sort(ports, {}, [](const PortSpec& port) { return std::to_string(port.target); });
  return ports;
}

}  // namespace holdall::app
