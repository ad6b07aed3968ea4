// The app that end-to-end tests release: it answers as examples/hello does (see there), starts within a
// millisecond, and misbehaves as the variable MODE says:
//   crash        exits with 3 at once
//   deaf         never listens
//   wrong-port   listens on 127.0.0.1, on a port of its own choice
//   unready      /up answers 500
//   stubborn     ignores SIGTERM
// POST /sick makes /up answer 500 from then on; POST /die ends the process without an answer.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string variable(const char* name, const char* otherwise = "") {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

const std::string kMode = variable("MODE"), kRelease = variable("HOLDALL_RELEASE", "v0"),
                  kInstance = variable("HOLDALL_INSTANCE", "web.1");

/// One numbered line on stdout, in one write: a line that a log lost is a gap in the numbers.
void say(const std::string& text) {
  static long number = 0;
  std::string line = std::to_string(number++) + " " + text + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) std::exit(4);
}

std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

std::int64_t wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::string checksum(std::string_view bytes) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  char hex[2 * sizeof digest + 1];
  sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
  return hex;
}

struct Connection {
  std::string in, out;
  std::string name;      // of the request being answered, from X-Load-Id; empty if it bears none
  std::string streamed;  // what the stream has said so far
  std::int64_t due = 0;  // when the next thing happens: a slow answer, a piece of a stream; 0: nothing
  int pieces = 0, next_piece = -1;
  bool answering = false, closing = false;
};

bool sick = kMode == "unready", told_unwell = false, stopping = false;
std::map<int, Connection> connections;
int loop = -1;

void watch(int fd, std::uint32_t events, int how) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(loop, how, fd, &event);
}

std::string head(int status) {
  return "HTTP/1.1 " + std::to_string(status) + (status == 200 ? " OK" : " Not OK") +
         "\r\nX-Release: " + kRelease + "\r\nX-Instance: " + kInstance + "\r\n";
}

void finish(Connection& connection) {
  if (!connection.name.empty()) say("answered " + connection.name);
  connection.answering = false;
}

void answer(Connection& connection, int status, const std::string& more = "") {
  std::string body =
      R"({"app": "test", "release": ")" + kRelease + R"(", "instance": ")" + kInstance + "\"" + more + "}\n";
  connection.out += head(status) + "Content-Length: " + std::to_string(body.size()) +
                    "\r\nX-Checksum: " + checksum(body) + "\r\n\r\n" + body;
  finish(connection);
}

void chunk(Connection& connection, const std::string& bytes) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  connection.out += size + bytes + "\r\n";
}

double number_in(std::string_view target, std::string_view name, double otherwise) {
  std::size_t at = target.find(name);
  return at == std::string_view::npos ? otherwise : std::atof(target.data() + at + name.size());
}

void respond(Connection& connection, const std::string& method, const std::string& target,
             const std::string& body) {
  std::string path = method + " " + target.substr(0, target.find('?'));
  connection.answering = true;
  if (!connection.name.empty()) say("accepted " + connection.name);
  if (path == "GET /") return answer(connection, 200);
  if (path == "GET /up") {
    if (sick && !told_unwell) say("unwell at " + std::to_string(wall_ns()));
    told_unwell = sick;
    return answer(connection, sick ? 500 : 200);
  }
  if (path == "POST /echo") {
    return answer(connection, 200,
                  ", \"bytes\": " + std::to_string(body.size()) + ", \"sha256\": \"" + checksum(body) + "\"");
  }
  if (path == "GET /slow") {
    connection.due = now_ms() + static_cast<std::int64_t>(number_in(target, "seconds=", 2) * 1000);
    return;
  }
  if (path == "GET /stream") {
    connection.pieces = static_cast<int>(number_in(target, "n=", 20));
    connection.next_piece = 0;
    connection.streamed.clear();
    connection.out += head(200) + "Transfer-Encoding: chunked\r\n\r\n";
    connection.due = now_ms();
    return;
  }
  if (path == "POST /sick") {
    sick = true;
    say("sick from now on");
    return answer(connection, 200);
  }
  if (path == "POST /die") std::exit(5);
  answer(connection, 404);
}

/// What a slow answer or a stream does when its time has come.
void go_on(Connection& connection) {
  connection.due = 0;
  if (connection.next_piece < 0) return answer(connection, 200);
  if (connection.next_piece < connection.pieces) {
    std::string piece;
    for (int i = 0; i < 32; ++i)
      piece += "piece " + std::to_string(connection.next_piece) + " of " + kRelease + "\n";
    connection.streamed += piece;
    chunk(connection, piece);
    ++connection.next_piece;
    connection.due = now_ms() + 10;
    return;
  }
  chunk(connection, "sha256 " + checksum(connection.streamed) + "\n");
  connection.out += "0\r\n\r\n";
  connection.next_piece = -1;
  finish(connection);
}

std::string header(const std::string& request_head, const std::string& name) {
  for (std::size_t at = request_head.find("\r\n"); at != std::string::npos;
       at = request_head.find("\r\n", at + 2)) {
    std::string_view line = std::string_view(request_head).substr(at + 2);
    if (line.size() > name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0 &&
        line[name.size()] == ':') {
      std::size_t begin = line.find_first_not_of(' ', name.size() + 1), end = line.find("\r\n");
      return std::string(line.substr(begin, end - begin));
    }
  }
  return "";
}

/// Answers what has arrived whole, one request after the other.
void take_requests(Connection& connection) {
  while (!connection.answering) {
    std::size_t end = connection.in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    std::string request_head = connection.in.substr(0, end + 2);
    std::size_t length = std::strtoul(header(request_head, "Content-Length").c_str(), nullptr, 10);
    if (connection.in.size() < end + 4 + length) return;
    std::string body = connection.in.substr(end + 4, length);
    connection.in.erase(0, end + 4 + length);
    std::size_t method = request_head.find(' '), target = request_head.find(' ', method + 1);
    connection.name = header(request_head, "X-Load-Id");
    connection.closing = strcasecmp(header(request_head, "Connection").c_str(), "close") == 0;
    respond(connection, request_head.substr(0, method), request_head.substr(method + 1, target - method - 1),
            body);
  }
}

/// Writes what there is to write; false: the connection is over.
bool flush(int fd, Connection& connection) {
  while (!connection.out.empty()) {
    ssize_t sent = send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return false;
    connection.out.erase(0, static_cast<std::size_t>(sent));
  }
  watch(fd, EPOLLIN | (connection.out.empty() ? 0U : EPOLLOUT), EPOLL_CTL_MOD);
  return !connection.out.empty() || connection.answering || !(connection.closing || stopping);
}

bool read_more(int fd, Connection& connection) {
  char bytes[64 << 10];
  for (;;) {
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return false;
    connection.in.append(bytes, static_cast<std::size_t>(got));
  }
  take_requests(connection);
  return true;
}

void drop(int fd) {
  close(fd);
  connections.erase(fd);
}

int listen_on(const char* address_text, int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr =
      htonl(std::string_view(address_text) == "127.0.0.1" ? INADDR_LOOPBACK : INADDR_ANY);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 || listen(fd, 1024) < 0) {
    std::perror("listen");
    std::exit(6);
  }
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  say(kInstance + " of " + kRelease + " listens on " + address_text + ":" +
      std::to_string(ntohs(address.sin_port)));
  return fd;
}

void accept_all(int listener) {
  for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections[fd];
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }
}

int next_wait_ms() {
  std::int64_t next = -1;
  for (const auto& [fd, connection] : connections) {
    if (connection.due > 0 && (next < 0 || connection.due < next)) next = connection.due;
  }
  return next < 0 ? -1 : static_cast<int>(std::max<std::int64_t>(0, next - now_ms()));
}

/// Passes timers; then leaves when asked to and nothing is being answered.
bool tick() {
  std::vector<int> over;
  bool busy = false;
  for (auto& [fd, connection] : connections) {
    if (connection.due > 0 && connection.due <= now_ms()) {
      go_on(connection);
      take_requests(connection);
      if (!flush(fd, connection)) over.push_back(fd);
    }
    busy = busy || connection.answering || !connection.out.empty();
  }
  for (int fd : over) drop(fd);
  return !stopping || busy;
}

}  // namespace

int main() {
  if (kMode == "crash") {
    say("about to fall over");
    return 3;
  }
  loop = epoll_create1(EPOLL_CLOEXEC);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  int signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK), listener = -1;
  if (kMode != "stubborn") watch(signals, EPOLLIN, EPOLL_CTL_ADD);
  if (kMode == "deaf") {
    say("not listening");
  } else {
    listener = kMode == "wrong-port" ? listen_on("127.0.0.1", 0)
                                     : listen_on("0.0.0.0", std::atoi(variable("PORT", "8080").c_str()));
    watch(listener, EPOLLIN, EPOLL_CTL_ADD);
  }
  while (tick()) {
    epoll_event events[256];
    int count = epoll_wait(loop, events, 256, next_wait_ms());
    for (int i = 0; i < count; ++i) {
      int fd = events[i].data.fd;
      if (fd == signals) {
        stopping = true;
        epoll_ctl(loop, EPOLL_CTL_DEL, signals, nullptr);
      } else if (fd == listener) {
        accept_all(listener);
      } else if (auto found = connections.find(fd); found != connections.end()) {
        bool open = !(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || read_more(fd, found->second);
        if (!open || !flush(fd, found->second)) drop(fd);
      }
    }
  }
  say("goodbye");
  return 0;
}
