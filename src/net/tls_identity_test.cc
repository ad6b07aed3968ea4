#include "net/tls_identity.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <thread>

#include "base/fake.h"
#include "base/files.h"
#include "net/client.h"
#include "net/server.h"
#include "net/socket.h"
#include "net/tls.h"

namespace holdall::net {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(10s); }

/// A server behind TLS at a port of its own, with a certificate that it made itself.
struct House {
  explicit House(std::vector<Route> routes) : server(std::move(routes), {}) {
    Certificate made = make_certificate("shop");
    write_file_atomic(place.path / "crt", made.text);
    write_file_atomic(place.path / "key", made.key.view(), 0600);
    identity = std::make_unique<TlsIdentity>(place.path / "crt", place.path / "key");
    Fd listener = listen({"127.0.0.1", 0, ""});
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    getsockname(listener.get(), reinterpret_cast<sockaddr*>(&storage), &size);
    url = {.tls = true, .host = "127.0.0.1", .port = address_of(storage).port, .target = "/"};
    server.add_listener({.socket = std::move(listener), .name = "tls", .stream = [this](Fd socket) {
                           return identity->accept(std::move(socket));
                         }});
    loop = std::thread([this] { server.run(); });
  }
  ~House() {
    server.stop();
    loop.join();
  }

  ClientResponse ask(const ClientRequest& request) {
    return fetch(connect(url, soon(), {.fingerprint = identity->fingerprint()}), request, soon());
  }

  TemporaryDirectory place;
  std::unique_ptr<TlsIdentity> identity;
  Server server;
  Url url;
  std::thread loop;
};

Route echo() {
  return {"POST", "/echo", [](Request& request) {
            Response out;
            out.body = request.listener + " " + std::to_string(request.body.size());
            if (request.body_file) out.body = "in a file";
            return out;
          }};
}

}  // namespace

TEST_CASE("a client that expects the certificate's fingerprint is served, and its listener is told") {
  House house({echo()});
  CHECK(house.identity->fingerprint().starts_with("sha256:"));
  CHECK(house.ask({.method = "POST", .target = "/echo", .body = "12345"}).body == "tls 5");
}

TEST_CASE("bodies of any size go both ways through TLS") {
  std::string large(5 << 20, 'x');
  House house({echo(), {"GET", "/large", [&large](Request&) {
                          Response out;
                          out.body = large;
                          return out;
                        }}});
  CHECK(house.ask({.method = "POST", .target = "/echo", .body = large}).body == "in a file");
  CHECK(house.ask({.target = "/large"}).body == large);
}

TEST_CASE("another fingerprint, and no fingerprint at all, refuse a certificate that nobody vouches for") {
  House house({echo()});
  std::string other = house.identity->fingerprint();
  other.back() = other.back() == '0' ? '1' : '0';
  CHECK_THROWS_WITH_AS(connect(house.url, soon(), {.fingerprint = other}), doctest::Contains("refused"),
                       Error);
  CHECK_THROWS_WITH_AS(connect(house.url, soon()), doctest::Contains("refused"), Error);
}

TEST_CASE("who speaks no TLS, or says nothing, keeps nobody waiting") {
  House house({echo()});
  Address address{"127.0.0.1", house.url.port, ""};
  Fd silent = connect(address, soon());
  CHECK_THROWS_AS(fetch(address, {.target = "/echo"}, soon()), Error);
  CHECK(house.ask({.method = "POST", .target = "/echo"}).status == 200);
}

TEST_CASE("files that are no certificate and its key are refused by name") {
  TemporaryDirectory place;
  Certificate one = make_certificate("one"), two = make_certificate("two");
  write_file_atomic(place.path / "crt", one.text);
  write_file_atomic(place.path / "key", two.key.view());
  CHECK_THROWS_WITH_AS(TlsIdentity(place.path / "crt", place.path / "key"), doctest::Contains("key"), Error);
  CHECK_THROWS_WITH_AS(TlsIdentity(place.path / "key", place.path / "key"), doctest::Contains("certificate"),
                       Error);
}

}  // namespace holdall::net
