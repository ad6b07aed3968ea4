#include "engine/shim_link.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "net/address.h"

namespace holdall::engine {
namespace {

constexpr int kSocket = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

net::SocketAddress address_of(const std::filesystem::path& socket) {
  return net::socket_address(net::Address{.path = socket});
}

std::optional<Hello> parse_hello(const char* text) {
  std::array<char, 64> id{}, boot_id{}, state{};
  Hello hello;
  long long executed = 0;
  if (std::sscanf(text, "shim 1 %63s %63s %63s %d %lld", id.data(), boot_id.data(), state.data(),
                  &hello.child, &executed) != 5) {
    return std::nullopt;
  }
  hello.id = {id.data()};
  hello.boot_id = boot_id.data();
  hello.stopping = std::strcmp(state.data(), "stopping") == 0;
  if (executed != 0) hello.executed = Instant(std::chrono::nanoseconds(executed));
  return hello;
}

}  // namespace

std::optional<ShimLink> ShimLink::connect(const std::filesystem::path& socket) {
  Fd fd(checked(::socket(AF_UNIX, kSocket, 0), "make a socket"));
  // Before connecting: the kernel then signs whatever the shim sends with its pid and uid.
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  net::SocketAddress address = address_of(socket);
  if (::connect(fd.get(), address.get(), address.size) != 0) return std::nullopt;
  return ShimLink(std::move(fd));
}

Fd ShimLink::listen(const std::filesystem::path& socket) {
  Fd fd(checked(::socket(AF_UNIX, kSocket, 0), "make a socket"));
  net::SocketAddress address = address_of(socket);
  checked(bind(fd.get(), address.get(), address.size), "bind " + socket.string());
  constexpr int kBacklog = 8;
  checked(::listen(fd.get(), kBacklog), "listen on " + socket.string());
  return fd;
}

void ShimLink::signal(int number) { send(fmt::format("signal {}", number)); }

void ShimLink::stop(int signal, std::chrono::milliseconds grace) {
  send(fmt::format("stop {} {}", signal, grace.count()));
}

/// A shim that is gone is noticed by its pidfd, not here.
void ShimLink::send(const std::string& text) {
  ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

ShimLink::Heard ShimLink::hear() {
  std::array<char, 1024> text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control;
  iovec bytes{text.data(), text.size() - 1};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = recvmsg(socket_.get(), &message, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return Heard::nothing;
  if (size <= 0) return Heard::end;
  text[static_cast<std::size_t>(size)] = 0;

  if (std::string_view(text.data()).starts_with("exited ")) return Heard::exited;
  auto hello = parse_hello(text.data());
  const cmsghdr* signature = CMSG_FIRSTHDR(&message);
  if (!hello || !signature || signature->cmsg_type != SCM_CREDENTIALS) return Heard::other;
  ucred sender;
  std::memcpy(&sender, CMSG_DATA(signature), sizeof sender);
  hello->shim = sender.pid;
  hello->uid = sender.uid;
  hello_ = std::move(hello);
  return Heard::hello;
}

}  // namespace holdall::engine
