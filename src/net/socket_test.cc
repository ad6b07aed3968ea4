#include "net/socket.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/fake.h"

namespace holdall::net {
namespace {

using namespace std::chrono_literals;

struct Directory : TemporaryDirectory {
  Address socket() const { return {"", 0, path / "s"}; }
};

Address bound(const Fd& socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  return address_of(storage);
}

Deadline soon() { return Deadline::after(5s); }

}  // namespace

TEST_CASE("a listener on all addresses takes IPv4 and IPv6") {
  Fd listener = listen({"", 0, ""});
  std::uint16_t port = bound(listener).port;
  CHECK(connect({"127.0.0.1", port, ""}, soon()));
  CHECK(connect({"::1", port, ""}, soon()));
}

TEST_CASE("an address in use is a conflict that names it") {
  Fd first = listen({"127.0.0.1", 0, ""});
  Address address = bound(first);
  CHECK_THROWS_WITH_AS(listen(address), doctest::Contains(text(address).c_str()), Error);
  CHECK(kind_of([&] { listen(address); }) == Error::conflict);
}

TEST_CASE("a port is free once nobody listens on it, on whichever address that was") {
  for (const char* host : {"127.0.0.1", "::1", ""}) {
    CAPTURE(host);
    Fd listener = listen({host, 0, ""});
    std::uint16_t port = bound(listener).port;
    CHECK_FALSE(port_is_free(port));
    listener.reset();
    CHECK(port_is_free(port));
  }
}

TEST_CASE("a unix socket that its process left behind is replaced") {
  Directory directory;
  listen(directory.socket());  // closed at once; the file stays
  REQUIRE(std::filesystem::exists(directory.socket().path));
  Fd again = listen(directory.socket());
  CHECK(connect(directory.socket(), soon()));
}

TEST_CASE("a unix socket that somebody listens on is a conflict and stays") {
  Directory directory;
  Fd first = listen(directory.socket());
  CHECK(kind_of([&] { listen(directory.socket()); }) == Error::conflict);
  CHECK(connect(directory.socket(), soon()));
}

TEST_CASE("a file that is no socket is not replaced") {
  Directory directory;
  Fd file(open(directory.socket().path.c_str(), O_CREAT | O_WRONLY, 0600));
  CHECK(kind_of([&] { listen(directory.socket()); }) == Error::conflict);
  CHECK(std::filesystem::is_regular_file(directory.socket().path));
}

TEST_CASE("connecting where nobody listens says missing") {
  Directory directory;
  CHECK(kind_of([&] { connect(directory.socket(), soon()); }) == Error::missing);
  Address gone = bound(listen({"127.0.0.1", 0, ""}));
  CHECK(kind_of([&] { connect(gone, soon()); }) == Error::missing);
}

TEST_CASE("connecting to a unix socket whose queue is full ends at the deadline") {
  Directory directory;
  Fd listener = listen(directory.socket(), 0);
  Fd first = connect(directory.socket(), soon());
  CHECK(kind_of([&] { connect(directory.socket(), Deadline::after(20ms)); }) == Error::busy);
}

TEST_CASE("the peer of a unix stream is known, that of a TCP stream is nobody") {
  Directory directory;
  Fd unix_listener = listen(directory.socket());
  CHECK(peer(connect(directory.socket(), soon())).uid == getuid());
  Fd tcp_listener = listen({"127.0.0.1", 0, ""});
  CHECK(peer(connect(bound(tcp_listener), soon())).uid == ~0U);
}

}  // namespace holdall::net
