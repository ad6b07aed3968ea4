// The smallest app that can be released: answers every request with its release, on $PORT. Static, so that
// what a benchmark measures is Holdall and not an interpreter's start.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

int main() {
  const char* port = std::getenv("PORT");
  const char* release = std::getenv("HOLDALL_RELEASE");
  if (!port) return 1;
  std::string body = std::string(release ? release : "none") + "\n";
  std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<unsigned short>(std::atoi(port)));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) || listen(listener, 1024))
    return 2;

  int loop = epoll_create1(EPOLL_CLOEXEC);
  epoll_event add{};
  add.events = EPOLLIN;
  add.data.fd = listener;
  epoll_ctl(loop, EPOLL_CTL_ADD, listener, &add);
  for (;;) {
    epoll_event events[64];
    int count = epoll_wait(loop, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        add.data.fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (add.data.fd < 0) continue;
        setsockopt(add.data.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(loop, EPOLL_CTL_ADD, add.data.fd, &add);
        continue;
      }
      char bytes[16384];
      ssize_t got = read(fd, bytes, sizeof bytes);
      // Requests here have no body and come whole: the router and the probes send them so.
      if (got <= 0 || send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) close(fd);
    }
  }
}
