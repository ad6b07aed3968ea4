#include <charconv>

#include <fmt/format.h>

#include "app/app.h"

namespace holdall::app {
namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(Error::invalid,
              fmt::format("'{}' is no server: {}; write ssh://user@host, ssh://user@host:port, "
                          "https://host:port or unix:///path/of/api.sock",
                          text, why));
}

std::uint16_t port_of(std::string_view whole, std::string_view digits) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0)
    refuse(whole, fmt::format("'{}' is no port", digits));
  return port;
}

/// ssh takes a word that begins with a dash for an option, and what is expanded on its way for a command.
void check_word(std::string_view whole, std::string_view word, std::string_view what) {
  if (word.empty()) refuse(whole, fmt::format("the {} is missing", what));
  if (word.front() == '-') refuse(whole, fmt::format("a {} does not begin with '-'", what));
  for (char c : word) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && std::string_view("._-+:%").find(c) == std::string_view::npos)
      refuse(whole, fmt::format("a {} has no '{}' in it", what, c));
  }
}

Host parse_ssh(std::string_view whole, std::string_view rest) {
  Host host;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('/') != std::string_view::npos) refuse(whole, "after the host nothing but a port may stand");
  if (auto at = rest.rfind('@'); at != std::string_view::npos) {
    host.user = rest.substr(0, at);
    if (host.user.find(':') != std::string::npos)
      refuse(whole, "a password does not belong here: ssh asks for it, or uses a key");
    check_word(whole, host.user, "user");
    rest.remove_prefix(at + 1);
  }
  if (rest.starts_with('[')) {
    auto end = rest.find(']');
    if (end == std::string_view::npos) refuse(whole, "']' is missing");
    host.name = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (!rest.empty() && rest.front() != ':') refuse(whole, "after ']' only a port may stand");
    if (!rest.empty()) host.port = port_of(whole, rest.substr(1));
  } else {
    auto colon = rest.find(':');
    host.name = rest.substr(0, colon);
    if (colon != std::string_view::npos) host.port = port_of(whole, rest.substr(colon + 1));
  }
  check_word(whole, host.name, "host");
  return host;
}

}  // namespace

Host parse_host(std::string_view text) {
  constexpr std::string_view kSsh = "ssh://", kHttps = "https://", kUnix = "unix://";
  if (text.starts_with("http://")) refuse(text, "tokens travel through TLS only");
  if (text.starts_with(kHttps)) {
    Host host = parse_ssh(text, text.substr(kHttps.size()));
    if (!host.user.empty())
      refuse(text, "who asks is told by the token, in the file that HOLDALL_TOKEN_FILE names");
    host.tls = true;
    return host;
  }
  if (text.starts_with(kSsh)) return parse_ssh(text, text.substr(kSsh.size()));
  std::string_view path = text;
  if (path.starts_with(kUnix)) path.remove_prefix(kUnix.size());
  if (!path.starts_with('/')) refuse(text, "it begins with none of ssh://, https:// and unix:///");
  return {.user = "", .name = "", .port = 0, .path = std::string(path), .tls = false};
}

std::string text(const Host& host) {
  if (!host.path.empty()) return "unix://" + host.path;
  bool literal = host.name.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}{}{}{}", host.tls ? "https" : "ssh", host.user, host.user.empty() ? "" : "@",
                     literal ? "[" : "", host.name, literal ? "]" : "",
                     host.port ? fmt::format(":{}", host.port) : "");
}

}  // namespace holdall::app
