#include "router/stream_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace holdall::router {

void StreamSocket::close() {
  fd_.reset();
  kept_ = {};
  sent_ = 0;
}

void StreamSocket::abort() {
  linger hard{1, 0};
  if (fd_) setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void StreamSocket::note(std::uint32_t events) {
  if (events & EPOLLIN) readable_ = true;
  if (events & EPOLLOUT) writable_ = true;
  if (events & EPOLLRDHUP) readable_ = peer_closed_ = true;
  if (events & (EPOLLHUP | EPOLLERR)) readable_ = writable_ = broken_ = true;
}

StreamSocket::Received StreamSocket::receive(char* into, std::size_t size) {
  for (;;) {
    ssize_t got = recv(fd_.get(), into, size, 0);
    if (got > 0) {
      // Less than asked for is all there was: bytes that come later are a new event. Only an end that was
      // already announced is still to be read.
      if (static_cast<std::size_t>(got) < size && !peer_closed_ && !broken_) readable_ = false;
      return {Got::bytes, {into, static_cast<std::size_t>(got)}};
    }
    if (got < 0 && errno == EINTR) continue;
    readable_ = false;
    if (got < 0 && errno == EAGAIN) return {Got::nothing, {}};
    return {got == 0 ? Got::end : Got::broken, {}};
  }
}

long StreamSocket::send_some(std::string_view bytes) {
  for (;;) {
    ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      if (static_cast<std::size_t>(sent) < bytes.size()) writable_ = false;
      return sent;
    }
    if (errno == EINTR) continue;
    writable_ = false;
    if (errno == EAGAIN) return 0;
    broken_ = readable_ = true;  // what the peer said before may still be read
    return -1;
  }
}

bool StreamSocket::send(std::string_view bytes) {
  if (pending()) {
    kept_.append(bytes);
    return true;
  }
  long sent = send_some(bytes);
  if (sent < 0) return false;
  if (static_cast<std::size_t>(sent) < bytes.size()) {
    kept_.assign(bytes.substr(static_cast<std::size_t>(sent)));
    sent_ = 0;
  }
  return true;
}

bool StreamSocket::flush() {
  if (!pending()) return true;
  long sent = send_some(std::string_view(kept_).substr(sent_));
  if (sent < 0) return false;
  sent_ += static_cast<std::size_t>(sent);
  if (pending()) return true;
  kept_ = {};
  sent_ = 0;
  if (shut_) ::shutdown(fd_.get(), SHUT_WR);
  return true;
}

void StreamSocket::shut_down() {
  if (shut_) return;
  shut_ = true;
  if (!pending()) ::shutdown(fd_.get(), SHUT_WR);
}

}  // namespace holdall::router
