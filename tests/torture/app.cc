// The app that the torture test releases: one epoll loop that answers every request with its release, and a
// numbered line on stdout each 2 ms, so that a lost line is a hole in the numbers. MODE chooses how it
// misbehaves:
//   crash  exits with 3 at once
//   deaf   never listens
//   refused  its release command exits with 4
//   sick   /up answers 500 from SICK_AFTER_MS after its start
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

long now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void watch(int loop, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace

int main(int, char** argv) {
  if (argv[1]) {  // a release command: says that it ran, and how often it ran is counted in the logs
    std::printf("%s %s\n", argv[1], variable("HOLDALL_RELEASE").c_str());
    return variable("MODE") == "refused" ? 4 : 0;
  }
  long begin = now_ms(), number = 0;
  std::string mode = variable("MODE"), sick_after = variable("SICK_AFTER_MS");
  if (mode == "crash") {
    std::puts("about to fall over");
    std::fflush(stdout);
    return 3;
  }

  int loop = epoll_create1(EPOLL_CLOEXEC), on = 1;
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  itimerspec each{{0, 2'000'000}, {0, 2'000'000}};
  timerfd_settime(timer, 0, &each, nullptr);
  watch(loop, timer);

  int listener = -1;
  if (mode != "deaf") {
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<unsigned short>(std::atoi(variable("PORT").c_str())));
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) || listen(listener, 1024))
      return 2;
    watch(loop, listener);
  }

  std::string good = answer(200, variable("HOLDALL_RELEASE") + "\n"), bad = answer(500, "sick\n");
  for (;;) {
    epoll_event events[64];
    int count = epoll_wait(loop, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      int fd = events[i].data.fd;
      char bytes[16384];
      if (fd == timer) {
        unsigned long long ticks = 0;
        if (read(timer, &ticks, sizeof ticks) < 0) continue;
        for (; ticks > 0; --ticks) std::printf("%ld\n", number++);
        std::fflush(stdout);
      } else if (fd == listener) {
        int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(loop, client);
      } else {
        ssize_t got = read(fd, bytes, sizeof bytes);
        bool sick = mode == "sick" && got > 8 && std::memcmp(bytes, "GET /up ", 8) == 0 &&
                    now_ms() - begin > std::atol(sick_after.c_str());
        const std::string& text = sick ? bad : good;
        if (got <= 0 || send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) close(fd);
      }
    }
  }
}
