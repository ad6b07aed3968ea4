#include "net/stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <ctime>

namespace holdall::net {

ssize_t PlainStream::send(std::string_view bytes) {
  waits_for_ = POLLOUT;
  return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

ssize_t PlainStream::receive(char* buffer, std::size_t size) {
  waits_for_ = POLLIN;
  return recv(socket_.get(), buffer, size, 0);
}

NoSigpipe::NoSigpipe() {
  sigemptyset(&pipe_);
  sigaddset(&pipe_, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
}

NoSigpipe::~NoSigpipe() {
  int error = errno;  // the guarded call's
  timespec none{};
  while (sigtimedwait(&pipe_, nullptr, &none) < 0 && errno == EINTR) {
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  errno = error;
}

}  // namespace holdall::net
