#include "serve/systemd.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace holdall::serve {
namespace {

// sd_listen_fds(3): the first descriptor that is passed.
constexpr int kFirst = 3;

constexpr std::size_t kLongestName = 255;

std::string taken(const char* variable) {
  const char* value = std::getenv(variable);
  std::string out = value ? value : "";
  unsetenv(variable);
  return out;
}

int number(const std::string& text) {
  int out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace

Systemd::Systemd() {
  const char* address = std::getenv("NOTIFY_SOCKET");
  if (address && (*address == '/' || *address == '@')) address_ = address;
}

void Systemd::tell(std::string_view lines) const { send(lines, -1); }

void Systemd::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  auto us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=upgrading", us));
}

void Systemd::keep(const std::string& name, const Fd& fd) const {
  bool plain = std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 127 && c != ':'; });
  if (name.empty() || name.size() > kLongestName || !plain) return;
  // Not looked at by the manager meanwhile: a listener with a fault is still the address's owner.
  send(fmt::format("FDSTORE=1\nFDPOLL=0\nFDNAME={}", name), fd.get());
}

void Systemd::drop(const std::string& name) const {
  send(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name), -1);
}

std::vector<Systemd::Kept> Systemd::take_kept() {
  std::string pid = taken("LISTEN_PID"), count = taken("LISTEN_FDS"), names = taken("LISTEN_FDNAMES");
  std::vector<Kept> out;
  if (number(pid) != getpid()) return out;
  std::string_view rest = names;
  for (int fd = kFirst; fd < kFirst + number(count); ++fd) {
    auto end = rest.find(':');
    out.push_back({std::string(rest.substr(0, end)), Fd(fd)});
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  }
  return out;
}

void Systemd::send(std::string_view lines, int fd) const {
  sockaddr_un to{};
  if (address_.empty() || address_.size() >= sizeof to.sun_path) return;
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  iovec text{const_cast<char*>(lines.data()), lines.size()};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = size;
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  // It reads all the time; but it is not ours, and serve does not wait for it for ever.
  timeval patience{1, 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (sendmsg(socket.get(), &message, MSG_NOSIGNAL) >= 0) return;
  log::warning("serve.systemd", fmt::format("the service manager was not told '{}': {}",
                                            lines.substr(0, lines.find('\n')), std::strerror(errno)));
}

// A colon separates the names in LISTEN_FDNAMES.
std::string encode_name(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '%' || c == ':' || c < ' ' || c >= 127) {
      out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string decode_name(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    unsigned byte = 0;
    bool coded = name[i] == '%' && i + 2 < name.size() &&
                 std::from_chars(&name[i + 1], &name[i + 1] + 2, byte, 16).ptr == &name[i + 1] + 2;
    out += coded ? static_cast<char>(byte) : name[i];
    if (coded) i += 2;
  }
  return out;
}

}  // namespace holdall::serve
