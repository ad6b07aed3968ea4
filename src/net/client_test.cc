#include "net/client.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/error.h"
#include "base/fake.h"
#include "net/socket.h"

namespace holdall::net {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(10s); }

/// Takes one connection on loopback, reads up to the end of a head, says `answer` and closes.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : listener_(listen({"127.0.0.1", 0, ""})) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      Fd client(accept_blocking());
      std::string head;
      char byte;
      while (!head.ends_with("\r\n\r\n") && read(client.get(), &byte, 1) == 1) head += byte;
      request_ = head;
      [[maybe_unused]] auto sent = send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    });
  }
  ~OneAnswer() { request(); }

  Address address() const {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&storage), &size);
    return address_of(storage);
  }
  /// Waits for the connection to have ended.
  std::string request() {
    if (thread_.joinable()) thread_.join();
    return request_;
  }

 private:
  int accept_blocking();

  Fd listener_;
  std::string request_;
  std::thread thread_;
};

int OneAnswer::accept_blocking() {
  for (;;) {
    int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(listener_.get(), &set);
    select(listener_.get() + 1, &set, nullptr, nullptr, nullptr);
  }
}

Error::Kind kind_of(const std::string& answer, Deadline deadline = soon()) {
  OneAnswer server(answer);
  try {
    fetch(server.address(), {}, deadline);
  } catch (const Error& error) {
    return error.kind();
  }
  return Error::broken;
}

}  // namespace

TEST_CASE("an answer is understood in each of its three framings") {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nhello"}) {
    CAPTURE(answer);
    OneAnswer server(answer);
    CHECK(fetch(server.address(), {}, soon()).body == "hello");
  }
}

TEST_CASE("interim answers are passed over") {
  OneAnswer server(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
  CHECK(fetch(server.address(), {}, soon()).status == 204);
}

TEST_CASE("a request says what HTTP wants of it") {
  OneAnswer server("HTTP/1.1 204 No Content\r\n\r\n");
  fetch(server.address(), {.method = "POST", .target = "/x?y", .headers = {{"A", "b"}}}, soon());
  std::string request = server.request();
  CHECK(request.starts_with("POST /x?y HTTP/1.1\r\nHost: 127.0.0.1:"));
  CHECK(request.find("Content-Length: 0\r\n") != std::string::npos);
  CHECK(request.find("A: b\r\n") != std::string::npos);
}

TEST_CASE("an answer that is cut or is no HTTP has failed") {
  CHECK(kind_of("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello") == Error::failed);
  CHECK(kind_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n") == Error::failed);
  CHECK(kind_of("HTTP/1.1 200") == Error::failed);
  CHECK(kind_of("") == Error::failed);
  CHECK(kind_of("SSH-2.0-OpenSSH_9.2\r\n\r\n") == Error::failed);
}

TEST_CASE("a server that does not answer is busy at the deadline, not after it") {
  Fd listener = listen({"127.0.0.1", 0, ""});
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  auto begin = BootClock::now();
  try {
    fetch(address_of(storage), {}, Deadline::after(30ms));
    FAIL("an answer from nobody");
  } catch (const Error& error) {
    CHECK(error.kind() == Error::busy);
  }
  CHECK(BootClock::now() - begin >= 30ms);
  CHECK(BootClock::now() - begin < 5s);
}

TEST_CASE("an answer larger than the caller allows has failed") {
  OneAnswer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  CHECK_THROWS_AS(fetch(server.address(), {}, soon(), 4), Error);
}

TEST_CASE("a sink that has heard enough hangs up") {
  OneAnswer server("HTTP/1.1 200 OK\r\n\r\nhello");
  int calls = 0;
  auto answer = stream(server.address(), {}, soon(), [&](std::string_view) { return ++calls > 1; });
  CHECK(answer.status == 200);
  CHECK(calls == 1);
}

TEST_CASE("the body of an error is not streamed but kept") {
  OneAnswer server("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}");
  auto answer = stream(server.address(), {}, soon(), [](std::string_view) { return false; });
  CHECK(answer.status == 404);
  CHECK(answer.body == "{}");
}

}  // namespace holdall::net
