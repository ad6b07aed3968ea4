#include "api/terminal.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "base/error.h"

namespace holdall::api {
namespace {

using namespace std::chrono_literals;
using wire::Frame;

/// A program that does what the test does with its descriptors.
class FakeProcess final : public engine::Process {
 public:
  FakeProcess(std::vector<int>& heard, const Fd& ended) : heard_(heard), ended_(ended) {}
  ~FakeProcess() override { heard_.push_back(-1); }

  const Fd& ended() const override { return ended_; }
  void signal(int number) override { heard_.push_back(number); }
  void end() override { poke(ended_); }
  int exit_code() override { return 42; }

 private:
  std::vector<int>& heard_;
  const Fd& ended_;  ///< the test's: it ends the program while another thread lets go of this
};

/// `carry` on a thread, with its client and its program in the test's hands.
class Carried {
 public:
  explicit Carried(std::optional<wire::WindowSize> terminal = {}, Patience patience = {}) {
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    client = Fd(pair[0]);
    Fd server(pair[1]);
    ioctl(server.get(), FIONBIO, std::array{1}.data());
    std::promise<void> started;
    auto start = [&, this](const engine::Stdio& stdio) {
      in = stdio.in.duplicate();
      out = stdio.out.duplicate();
      err = stdio.err.duplicate();
      auto made = std::make_unique<FakeProcess>(heard, ended);
      started.set_value();
      return made;
    };
    net::Upgraded connection{std::make_unique<net::PlainStream>(std::move(server)), ""};
    auto work = [this, start, terminal, patience,
                 connection = std::move(connection)](const std::stop_token& stop) mutable {
      code.set_value(carry(std::move(connection), start, terminal, stop, patience));
    };
    thread = std::jthread(std::move(work));
    started.get_future().wait();
  }

  void say(Frame::Kind kind, std::string_view data = {}) const {
    const std::string bytes = wire::frame(kind, data);
    REQUIRE(write(client.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  /// The next message that is no sign of life alone.
  Frame hear() {
    for (;;) {
      while (auto frame = reader.next()) {
        if (frame->kind != Frame::alive) return *frame;
        ++alive;
      }
      char buffer[4096];
      ssize_t got = read(client.get(), buffer, sizeof buffer);
      if (got <= 0) return {Frame::failure, "the end"};
      reader.feed({buffer, static_cast<std::size_t>(got)});
    }
  }
  static std::string taken(const Fd& from, std::size_t size) {
    std::string text(size, '\0');
    std::size_t got = 0;
    while (got < size) {
      ssize_t more = read(from.get(), text.data() + got, size - got);
      if (more <= 0) break;
      got += static_cast<std::size_t>(more);
    }
    return text.substr(0, got);
  }

  Fd client, in, out, err;
  Fd ended = make_event();  ///< poked: nothing is left of the program
  std::vector<int> heard;   ///< by the program; -1: nobody attends it any more
  wire::FrameReader reader;
  int alive = 0;
  std::promise<std::optional<int>> code;
  std::jthread thread;
};

}  // namespace

TEST_CASE("what the client says reaches the program, and what it says the client, each stream apart") {
  Carried carried;
  carried.say(Frame::input, "hello");
  carried.say(Frame::input_end);
  CHECK(Carried::taken(carried.in, 5) == "hello");
  CHECK(Carried::taken(carried.in, 1).empty());
  REQUIRE(write(carried.out.get(), "out", 3) == 3);
  CHECK(carried.hear() == Frame{Frame::output, "out"});
  REQUIRE(write(carried.err.get(), "err", 3) == 3);
  CHECK(carried.hear() == Frame{Frame::error_output, "err"});
  carried.say(Frame::signal, "\x02");
  carried.say(Frame::input, "");  // in order, so that once the end is told the signal has been
  REQUIRE(write(carried.out.get(), "last", 4) == 4);
  carried.out.reset();
  carried.err.reset();
  CHECK(carried.hear() == Frame{Frame::output, "last"});
  poke(carried.ended);
  CHECK(carried.hear() == Frame{Frame::exit, "42"});
  CHECK(carried.code.get_future().get() == 42);
  CHECK(carried.heard == std::vector<int>{2, -1});
}

TEST_CASE("a terminal has the client's size, and gets its end of input as a key") {
  Carried carried(wire::WindowSize{101, 33});
  auto size = [&] {
    winsize window{};
    ioctl(carried.in.get(), TIOCGWINSZ, &window);
    return std::pair(window.ws_col, window.ws_row);
  };
  CHECK(isatty(carried.in.get()));
  CHECK(size() == std::pair<unsigned short, unsigned short>(101, 33));
  carried.say(Frame::window, wire::window_data({50, 20}));
  carried.say(Frame::input, "line\n");
  CHECK(Carried::taken(carried.in, 5) == "line\n");
  CHECK(size() == std::pair<unsigned short, unsigned short>(50, 20));
  carried.say(Frame::input_end);
  CHECK(Carried::taken(carried.in, 1).empty());
  poke(carried.ended);
  CHECK(carried.code.get_future().get() == 42);
}

TEST_CASE("when the client goes nobody attends the program any more") {
  Carried carried;
  carried.client.reset();
  CHECK(carried.code.get_future().get() == std::nullopt);
  CHECK(carried.heard == std::vector<int>{-1});
}

TEST_CASE("a client that is silent is gone, though its connection is not") {
  Carried carried({}, {.say = 5ms, .hear = 40ms});
  CHECK(carried.code.get_future().get() == std::nullopt);
  CHECK(carried.hear() == Frame{Frame::failure, "the end"});
  CHECK(carried.alive > 0);
  CHECK(carried.heard == std::vector<int>{-1});
}

TEST_CASE("at the end of control the client hears why") {
  Carried carried;
  carried.thread.request_stop();
  CHECK(carried.hear().data.find("the server is being stopped") != std::string::npos);
  CHECK(carried.code.get_future().get() == std::nullopt);
}

TEST_CASE("a client that reads nothing makes the program wait") {
  Carried carried;
  ioctl(carried.out.get(), FIONBIO, std::array{1}.data());
  const std::string much(64 << 10, 'x');
  std::size_t written = 0;
  // Until it takes no more for a while: the queues between are full.
  for (pollfd writable{carried.out.get(), POLLOUT, 0}; poll(&writable, 1, 200) > 0;) {
    ssize_t more = write(carried.out.get(), much.data(), much.size());
    if (more > 0) written += static_cast<std::size_t>(more);
    REQUIRE(written < std::size_t{16} << 20);
  }
  std::size_t read = 0;
  while (read < written) read += carried.hear().data.size();
  CHECK(read == written);
  carried.client.reset();
}

TEST_CASE("a program that cannot be started is a failure that is said") {
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  Fd client(pair[0]);
  auto start = [](const engine::Stdio&) -> std::unique_ptr<engine::Process> {
    throw Error(Error::missing, "no instance runs");
  };
  CHECK(carry({std::make_unique<net::PlainStream>(Fd(pair[1])), ""}, start, std::nullopt, {}) ==
        std::nullopt);
  CHECK(Carried::taken(client, 21) == wire::frame(Frame::failure, "no instance runs"));
}

}  // namespace holdall::api
