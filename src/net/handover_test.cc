#include "net/handover.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

namespace holdall::net {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(5s); }

}  // namespace

TEST_CASE("a message arrives with its descriptors, which are close-on-exec") {
  auto [here, there] = handover_pair();
  Pipe pipe = make_pipe(0);
  REQUIRE(send(here, Json::object({{"type", "log"}}), {pipe.write.get()}, soon()));
  auto got = receive(there, soon());
  REQUIRE(got);
  CHECK(got->body.at("type").string() == "log");
  REQUIRE(got->fds.size() == 1);
  CHECK((fcntl(got->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(write(got->fds[0].get(), "x", 1) == 1);
  char byte = 0;
  REQUIRE(read(pipe.read.get(), &byte, 1) == 1);
  CHECK(byte == 'x');
}

TEST_CASE("messages stay apart and in order") {
  auto [here, there] = handover_pair();
  for (int i = 0; i < 3; ++i) send(here, Json::object({{"n", i}}), {}, soon());
  for (int i = 0; i < 3; ++i) CHECK(receive(there, soon())->body.at("n").integer() == i);
}

TEST_CASE("receiving ends at the deadline with nothing") {
  auto [here, there] = handover_pair();
  CHECK_FALSE(receive(there, Deadline::after(1ms)));
}

TEST_CASE("what was sent before the other end went is received, then it is missing") {
  auto [here, there] = handover_pair();
  send(here, Json::object({{"type", "last"}}), {}, soon());
  here.reset();
  CHECK(receive(there, soon())->body.at("type").string() == "last");
  CHECK_THROWS_AS(receive(there, soon()), Error);
}

TEST_CASE("sending to an end that has gone returns false") {
  auto [here, there] = handover_pair();
  there.reset();
  CHECK_FALSE(send(here, Json::object(), {}, soon()));
}

TEST_CASE("sending to an end that does not read is busy at the deadline") {
  auto [here, there] = handover_pair();
  Json large = Json::object({{"text", std::string(50 << 10, 'x')}});
  auto fill = [&] {
    for (int i = 0; i < 1000; ++i) send(here, large, {}, Deadline::after(1ms));
  };
  CHECK_THROWS_WITH_AS(fill(), doctest::Contains("in time"), Error);
}

TEST_CASE("a message that does not fit into a packet is refused") {
  auto [here, there] = handover_pair();
  CHECK_THROWS_AS(send(here, Json(std::string(61 << 10, 'x')), {}, soon()), Error);
}

TEST_CASE("a packet that is no message is invalid and its descriptors are closed") {
  auto [here, there] = handover_pair();
  REQUIRE(write(here.get(), "{", 1) == 1);
  CHECK_THROWS_AS(receive(there, soon()), Error);
}

}  // namespace holdall::net
